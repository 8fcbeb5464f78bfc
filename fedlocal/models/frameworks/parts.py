"""Common to models of other frameworks: how their parts are built, tried, seeded and evaluated."""

import inspect
import math
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.protocol import Evaluation, ModelError

Array = NDArray[Any]
MeanLoss = Callable[[Array, Array], float]
"""The mean loss of some outputs, [n, outputs], and their targets."""

SEEDING = 64  # parameters, the last ones, that seed a batch: each update changes them


def build_part(option: str, node: dict[str, Any], *arguments: Any, **offered: Any) -> Any:
    """Build one part of a model.

    Parameters
    ----------
    option : str
        The model's option, which begins each message.
    node : dict
        Its ``_target_``, and arguments, which may be such nodes themselves.
    *arguments
        Given in any case.
    **offered
        Given where the target's signature names them and the node does not.

    Raises
    ------
    ModelError
        If the target raises any exception.
    """
    from hydra.errors import HydraException  # imported late: only a framework needs it
    from hydra.utils import get_object, instantiate

    name = node["_target_"]
    try:
        wanted = _parameters(get_object(name)) - node.keys()
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
    if inspect.isclass(target) or not _waits(target, node):
        return build_part("loss", node)
    return instantiate({**node, "_partial_": True}, _convert_="all")


def _waits(function: Any, node: dict[str, Any]) -> bool:
    """Tell whether a function cannot be called without more arguments than the node gives."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # of some functions written in C
        return True
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.kind in kinds and p.default is p.empty and p.name not in node for p in parameters)


def _parameters(target: Any) -> set[str]:
    try:
        return set(inspect.signature(target).parameters)
    except ValueError:  # of some functions written in C
        return set()


def check_fit(name: str, got: Array, outputs: int, mean_loss: MeanLoss, *, classes: bool) -> None:
    """Make sure that a network, its loss and the data go together.

    Parameters
    ----------
    name : str
        Name of the network.
    got : array
        Its outputs for two rows.
    outputs : int
        Classes or targets.
    mean_loss : callable
        The loss.
    classes : bool
        Whether targets are class codes.

    Raises
    ------
    ModelError
        If the outputs are of another shape, the loss does not take them, or it is no mean over rows.
    """
    if got.shape != (2, outputs):
        raise ModelError(
            f"{name} makes {list(got.shape)} of two rows; for {outputs} "
            f"{'classes' if classes else 'targets'} it must make {[2, outputs]}"
        )
    y: Array = np.zeros(2, np.int64) if classes else np.zeros((2, outputs), np.float32)
    try:
        mean, *losses = (mean_loss(got[rows], y[rows]) for rows in (slice(2), slice(1), slice(1, 2)))
    except Exception as error:
        raise ModelError(f"model.loss does not take what {name} makes: {error}") from error
    if not math.isclose(mean, sum(losses) / 2, rel_tol=1e-3, abs_tol=1e-6):
        raise ModelError(f"model.loss is {mean:.6g} of two rows and {losses} of each: it must be their mean")


def evaluation(parts: Iterable[Array], y: Array, mean_loss: MeanLoss, *, classes: bool) -> Evaluation:
    """Evaluate outputs that come in parts: rows, some at a time, in the order of their targets."""
    loss, hits, start = 0.0, 0, 0
    for outputs in parts:
        targets = y[start : start + len(outputs)]
        loss += mean_loss(outputs, targets) * len(outputs) if len(outputs) else 0.0
        hits += int((outputs.argmax(axis=1) == targets).sum()) if classes else 0
        start += len(outputs)
    rows = start or math.nan
    return Evaluation(loss / rows, hits / rows if classes else None)


def softmax(outputs: Array) -> Array:
    """Return the probabilities that belong to logits, [n, classes]."""
    powers: Array = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def seed_of_batch(x: NDArray[Any], y: NDArray[Any], parameters: NDArray[np.float32]) -> int:
    """Return the seed of a network's random draws for a batch, from 0 to 2⁶³ - 1.

    It depends on the rows, the targets and the parameters, and so on neither when nor where the batch is
    computed; the same rows get another seed after each update.
    """
    digest = blake2b(digest_size=8)
    for part in (x, y, parameters[-SEEDING:]):
        digest.update(np.ascontiguousarray(part).data)
    return int.from_bytes(digest.digest()) >> 1
