"""The state of strategies, what a round leaves to the next round, as named arrays for checkpoints.

Flower's strategies declare no state, so it is declared here for each strategy that comes with fedlocal. A
strategy without a declaration, or a subclass of a declared strategy, runs but cannot be resumed: it might go
on without a part of its state, and nobody would notice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import ArrayRecord
from flwr.serverapp import strategy as flower
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.strategies.fedavg import FedAvg
from fedlocal.strategies.no_aggregation import NoAggregation
from fedlocal.strategies.norm_clipping import NormClipping
from fedlocal.strategies.qfedavg import QFedAvg

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class AttributeCodec:
    """How the value of an attribute becomes arrays, and arrays the value."""

    arrays_of: Callable[[Any], Arrays]
    value_of: Callable[[Arrays], Any]


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


NAMED = AttributeCodec(dict, dict)
LISTED = AttributeCodec(
    lambda arrays: {str(position): array for position, array in enumerate(arrays)}, lambda a: list(a.values())
)
RECORD = AttributeCodec(ndarrays, array_record)
RECORDS = AttributeCodec(_with_nodes, _by_node)

Attributes = Mapping[str, AttributeCodec]
_ADAPTIVE: Attributes = {"current_arrays": NAMED, "m_t": NAMED, "v_t": NAMED}
DECLARED: Mapping[type[Strategy], Attributes] = {
    NoAggregation: {"models": RECORDS},
    FedAvg: {},
    NormClipping: {},
    flower.Bulyan: {},
    flower.FedAdagrad: _ADAPTIVE,
    flower.FedAdam: _ADAPTIVE,
    flower.FedAvg: {},
    flower.FedAvgM: {"current_arrays": RECORD, "momentum_vector": LISTED},
    flower.FedMedian: {},
    flower.FedProx: {},
    flower.FedTrimmedAvg: {},
    flower.FedYogi: _ADAPTIVE,
    flower.Krum: {},
    flower.MultiKrum: {},
    flower.QFedAvg: {"current_arrays": RECORD},
    QFedAvg: {"current_arrays": RECORD},
}
"""By class, the attributes that a round changes; to all of them None and an empty value are the same."""


def why_not_resumable(strategy: Strategy) -> str | None:
    """Say why a run with this strategy cannot be resumed; None if it can."""
    kind = type(strategy)
    if kind in DECLARED:
        return None
    return f"the state of strategy {kind.__module__}.{kind.__qualname__} is not declared"


def state_of(strategy: Strategy) -> dict[str, NDArray[Any]]:
    """Return a strategy's state; empty for a strategy without a declaration.

    The arrays are not copied, since the strategy never writes to them again.
    """
    return {
        f"{attribute}/{name}": np.asarray(array)
        for attribute, kind in DECLARED.get(type(strategy), {}).items()
        for name, array in kind.arrays_of(getattr(strategy, attribute) or {}).items()
    }


def restore(strategy: Strategy, state: Arrays) -> None:
    """Give a new strategy the state that `state_of` returned of another one."""
    for attribute, kind in DECLARED[type(strategy)].items():
        start = f"{attribute}/"
        arrays = {path[len(start) :]: array for path, array in state.items() if path.startswith(start)}
        if arrays:
            setattr(strategy, attribute, kind.value_of(arrays))
