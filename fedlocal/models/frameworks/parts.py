"""How the parts of another framework's model are built: the network, the loss, the optimiser."""

import inspect
from inspect import Parameter
from typing import Any

from fedlocal.models.protocol import ModelError


def build_part(option: str, node: dict[str, Any], *arguments: Any, **offered: Any) -> Any:
    """Build one part of a model of its ``_target_`` and arguments, which may be such nodes themselves.

    `arguments` are given in any case; of those `offered`, the target gets what its signature names and the
    node does not.

    Raises
    ------
    ModelError
        Beginning with the model's option, if the target raises any exception.
    """
    from hydra.errors import HydraException  # imported late: only a framework needs it
    from hydra.utils import get_object, instantiate

    name = node["_target_"]
    try:
        wanted = {parameter.name for parameter in _parameters(get_object(name)) or ()} - node.keys()
        new = instantiate({**node, "_partial_": True}, _convert_="all")
        return new(*arguments, **{key: value for key, value in offered.items() if key in wanted})
    except Exception as error:
        reason = error.__cause__ if isinstance(error, HydraException) and error.__cause__ else error
        raise ModelError(f"model.{option}: {name}: {type(reason).__name__}: {reason}") from error


def build_loss(node: dict[str, Any]) -> Any:
    """Build a loss: the object that a class or a function makes, or a function of outputs and targets itself.

    Raises
    ------
    ModelError
        If the target refuses its arguments.
    """
    from hydra.utils import get_object, instantiate

    target = get_object(node["_target_"])
    parameters, free = _parameters(target), (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    waits = parameters is None or any(
        p.kind in free and p.default is p.empty and p.name not in node for p in parameters
    )
    if inspect.isclass(target) or not waits:
        return build_part("loss", node)
    return instantiate({**node, "_partial_": True}, _convert_="all")


def _parameters(target: Any) -> list[Parameter] | None:
    """Return what a target can be given; None: some functions written in C do not tell."""
    try:
        return list(inspect.signature(target).parameters.values())
    except ValueError:
        return None
