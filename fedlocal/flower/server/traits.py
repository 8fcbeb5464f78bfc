"""What fedlocal has to know of a strategy: its state, what it does to arrays, and whether it is robust.

A strategy's class declares that as `traits`. Flower's classes cannot: theirs stand in the only table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from flwr.serverapp import strategy as flower

from fedlocal.flower.server.wrapping import wrapped

StateKind = Literal["mapping", "list", "record", "records", "number"]
"""What an attribute holds: arrays by name, arrays, an ``ArrayRecord``, such records by node, or a number."""


@dataclass(frozen=True)
class Traits:
    """What a strategy is.

    Parameters
    ----------
    state : mapping of str to StateKind, optional
        The attributes that a round changes and later rounds depend on; of all but numbers None and an empty
        value must be the same to the strategy. If None, the state is not known, and no run can be resumed.
    apart : {"mean", "median", "refuse"}, optional
        How arrays that are no parameters are aggregated, if not by the strategy
        (`fedlocal.flower.server.untrained_arrays`): as a mean where it takes steps along updates, as a median
        where it selects models. Where it treats all alike and must treat all, a model with some is refused.
    withstands : callable
        Called with the strategy, a number of replies, and how many malicious actors it is to assume: returns
        how many it withstands by its paper; None if it claims no robustness, as most.
    """

    state: Mapping[str, StateKind] | None = None
    apart: Literal["mean", "median", "refuse"] | None = None
    withstands: Callable[[Any, int, int], int | None] = lambda *_: None


def traits_of(strategy: object) -> Traits:
    """Return the traits of a strategy's class, or of the nearest base that has some.

    Of a base's, the state does not count: a subclass might be resumed without a part of its own, and nobody
    would notice.
    """
    for kind in type(strategy).__mro__:
        traits: Traits | None = vars(kind).get("traits", FLOWERS.get(kind))
        if traits is not None:
            return traits if kind is type(strategy) else replace(traits, state=None)
    inner = wrapped(strategy)  # what it does to arrays is not known: no more than refusing is safe
    return Traits(apart="refuse" if inner and traits_of(inner).apart else None)


def minority(replies: int, assumed: int) -> int:  # noqa: ARG001
    """Return how many malicious actors a median withstands."""
    return max(0, replies - 1) // 2


def _bulyan(strategy: flower.Bulyan, replies: int, assumed: int) -> int:  # noqa: ARG001
    return assumed if replies >= 4 * assumed + 3 else 0


def _krum(strategy: flower.MultiKrum, replies: int, assumed: int) -> int:
    return assumed if replies >= max(2 * assumed + 3, strategy.num_nodes_to_select + assumed + 2) else 0


def _trimmed(strategy: flower.FedTrimmedAvg, replies: int, assumed: int) -> int:  # noqa: ARG001
    return int(strategy.beta * replies)


_ADAPTIVE = Traits({"current_arrays": "mapping", "m_t": "mapping", "v_t": "mapping"}, "mean")
FLOWERS: Mapping[type, Traits] = {
    flower.Bulyan: Traits({}, "median", _bulyan),
    flower.FedAdagrad: _ADAPTIVE,
    flower.FedAdam: _ADAPTIVE,
    flower.FedAvg: Traits({}),
    flower.FedAvgM: Traits({"current_arrays": "record", "momentum_vector": "list"}, "mean"),
    flower.FedMedian: Traits({}, None, lambda _, *counts: minority(*counts)),
    flower.FedProx: Traits({}),
    flower.FedTrimmedAvg: Traits({}, None, _trimmed),
    flower.FedYogi: _ADAPTIVE,
    flower.Krum: Traits({}, "median", _krum),
    flower.MultiKrum: Traits({}, "median", _krum),
    flower.QFedAvg: Traits({"current_arrays": "record"}, "mean"),
    flower.DifferentialPrivacyClientSideAdaptiveClipping: Traits({"clipping_norm": "number"}, "refuse"),
    flower.DifferentialPrivacyClientSideFixedClipping: Traits({}, "refuse"),
    flower.DifferentialPrivacyServerSideAdaptiveClipping: Traits({"clipping_norm": "number"}, "refuse"),
    flower.DifferentialPrivacyServerSideFixedClipping: Traits({}, "refuse"),
}
"""Of Flower's strategies, by class."""
