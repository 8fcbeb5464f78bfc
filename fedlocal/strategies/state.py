"""The state of strategies, what a round leaves to the next round, as named arrays for checkpoints.

A strategy declares it in its traits (`fedlocal.flower.server.traits`). Without that it runs, but cannot be
resumed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from flwr.app import ArrayRecord
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.server.traits import StateKind, traits_of
from fedlocal.flower.server.wrapping import wrapped

Arrays = Mapping[str, NDArray[Any]]


def _with_nodes(models: Mapping[int, ArrayRecord]) -> dict[str, NDArray[Any]]:
    return {
        f"{node}/{name}": array for node, record in models.items() for name, array in ndarrays(record).items()
    }


def _by_node(arrays: Arrays) -> dict[int, ArrayRecord]:
    models: dict[int, dict[str, NDArray[Any]]] = {}
    for path, array in arrays.items():
        node, _, name = path.partition("/")
        models.setdefault(int(node), {})[name] = array
    return {node: array_record(model) for node, model in models.items()}


_CODECS: Mapping[StateKind, tuple[Callable[[Any], Mapping[str, Any]], Callable[[Arrays], Any]]] = {
    "mapping": (dict, dict),
    "list": (lambda arrays: {str(at): array for at, array in enumerate(arrays)}, lambda a: list(a.values())),
    "record": (ndarrays, array_record),
    "records": (_with_nodes, _by_node),
    "number": (lambda number: {"value": number}, lambda arrays: float(arrays["value"])),
}
"""How an attribute becomes arrays, and arrays the attribute."""


def why_not_resumable(strategy: Strategy) -> str | None:
    """Say why a run with this strategy cannot be resumed; None if it can."""
    kind = type(strategy)
    if traits_of(strategy).state is None:
        return f"the state of strategy {kind.__module__}.{kind.__qualname__} is not declared"
    if getattr(strategy, "accountant", None) is not None:
        return f"what the accountant of {kind.__name__} has counted is not kept"
    inner = wrapped(strategy)
    return why_not_resumable(inner) if inner else None


def state_of(strategy: Strategy) -> dict[str, NDArray[Any]]:
    """Return a strategy's state, under ``strategy/`` that of the one it is around; empty if not declared.

    The arrays are not copied, since the strategy never writes to them again.
    """
    state = {
        f"{attribute}/{name}": np.asarray(array)
        for attribute, kind in (traits_of(strategy).state or {}).items()
        for name, array in _CODECS[kind][0](getattr(strategy, attribute) or {}).items()
    }
    inner = state_of(wrapped(strategy)) if wrapped(strategy) else {}
    return {**state, **{f"strategy/{path}": array for path, array in inner.items()}}


def restore(strategy: Strategy, state: Arrays) -> None:
    """Give a new strategy the state that `state_of` returned of another one."""
    for attribute, kind in (traits_of(strategy).state or {}).items():
        if arrays := _below(attribute, state):
            setattr(strategy, attribute, _CODECS[kind][1](arrays))
    if inner := wrapped(strategy):
        restore(inner, _below("strategy", state))


def _below(name: str, state: Arrays) -> dict[str, NDArray[Any]]:
    start = f"{name}/"
    return {path.removeprefix(start): array for path, array in state.items() if path.startswith(start)}
