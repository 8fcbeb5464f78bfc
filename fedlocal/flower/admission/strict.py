"""Admission of replies: a bad reply is that client's error, never the run's.

What is admitted at all is decided by the codec: bytes that do not parse, hold objects, or are not as many as
they claim are no reply. Flower's strategies check little of the rest: neither dtypes nor finiteness nor
weights. A policy turns such replies into errors: `Strict` admits what fedlocal's own client may
send, `Structural` whatever any app sends, within budgets.

Each reply is judged alone, so that no verdict depends on other replies or on their order: arrays are
averaged while other clients still train, and are not taken back. Metrics that only some clients send are
no error: they are left out of what is aggregated (`fedlocal.flower.server.metrics`).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeGuard

import numpy as np
from flwr.app import ArrayRecord, Error, Message, MetricRecord
from numpy.typing import NDArray

from fedlocal.actors import readable
from fedlocal.flower.compat.private import CLIENT_APP_RAISED, replacement
from fedlocal.flower.messages.arrays import ndarrays, unwrapped
from fedlocal.flower.node.client_runner import partition_of

WEIGHT = "num-examples"
ARRAYS, METRICS = "arrays", "metrics"  # the records of fedlocal's own client
MAX_METRICS, MAX_NAME = 1000, 200

_Shape = tuple[tuple[int, ...], np.dtype[Any]]
_Sizes = Sequence[int] | NDArray[np.int64]


class Admission(Protocol):
    """Replaces bad replies by errors that say why, and leaves out replies of clients without rows."""

    def structure(self, replies: Sequence[Message], sent: ArrayRecord) -> list[Message]:
        """Judge replies to training, all but the values of their arrays."""
        ...

    def values(self, replies: Sequence[Message]) -> list[Message]:
        """Judge the values of the arrays of replies whose structure was admitted; no reply is left out."""
        ...

    def evaluation(self, replies: Sequence[Message]) -> list[Message]:
        """Judge replies to evaluation."""
        ...


class Strict:
    """Admits arrays as sent, all finite, metrics that are numbers, and a weight that can be true.

    A client that has no rows, and says so with a weight of 0, is excused: its reply is left out, and is no
    error.

    Parameters
    ----------
    sizes : sequence of int
        Rows of each partition to train on: no client can have trained on more.
    held_out : sequence of int, optional
        Rows of each partition to evaluate on; by default unknown, and a weight of 0 always excused.
    weighted_by : str
        The metric that the strategy takes for the weight of a reply: a finite number above 0.
    losses : sequence of str
        Metrics that every reply to training must have, finite and at least 0: strategies compute with them,
        as q-FedAvg does, and where a loss is not finite, training has diverged. Other metrics may be NaN.
    """

    def __init__(
        self,
        sizes: _Sizes,
        held_out: _Sizes | None = None,
        *,
        weighted_by: str = WEIGHT,
        losses: Sequence[str] = (),
    ) -> None:
        self._sizes, self._held_out = sizes, held_out
        self._weighted_by, self._losses = weighted_by, losses

    def structure(self, replies: Sequence[Message], sent: ArrayRecord) -> list[Message]:
        """Replace replies with other arrays than those sent, impossible weights, or unusable metrics."""
        expected = {name: (array.shape, array.dtype) for name, array in ndarrays(sent).items()}
        return _judged_by_size(
            replies, self._sizes, lambda reply, size: self._training_fault(reply, size, expected)
        )

    def values(self, replies: Sequence[Message]) -> list[Message]:
        """Replace replies with an array that is not finite."""
        return replace_faulty(replies, _infinite)

    def evaluation(self, replies: Sequence[Message]) -> list[Message]:
        """Replace replies with impossible weights, or unusable metrics."""
        return _judged_by_size(replies, self._held_out, self._evaluation_fault)

    def _training_fault(self, reply: Message, size: int | None, expected: Mapping[str, _Shape]) -> str | None:
        records = dict(reply.content.items())
        arrays, metrics = records.get(ARRAYS), records.get(METRICS)
        if len(records) != 2 or not isinstance(arrays, ArrayRecord) or not isinstance(metrics, MetricRecord):
            return f"expected an array record {ARRAYS!r} and a metric record {METRICS!r}, got {_kinds(reply)}"
        return self._metrics_fault(metrics, size, self._losses) or _arrays_fault(arrays, expected)

    def _evaluation_fault(self, reply: Message, size: int | None) -> str | None:
        metrics = reply.content.get(METRICS)
        if len(reply.content) != 1 or not isinstance(metrics, MetricRecord):
            return f"expected one metric record {METRICS!r}, got {_kinds(reply)}"
        return self._metrics_fault(metrics, size, ())

    def _metrics_fault(self, record: MetricRecord, size: int | None, losses: Iterable[str]) -> str | None:
        metrics = dict(record.items())
        if len(metrics) > MAX_METRICS:
            return f"at most {MAX_METRICS} metrics, got {len(metrics)}"
        for name in metrics:
            if not name.isprintable() or len(name) > MAX_NAME:
                return f"metrics have names of at most {MAX_NAME} characters that print, got {name!r}"
        for name in losses:
            loss = metrics.get(name)
            if not _is_number(loss) or not 0 <= loss < math.inf:
                return f"{name} must be finite and at least 0, got {loss!r}; a smaller learning rate may help"
        if self._weighted_by != WEIGHT:
            weight = metrics.get(self._weighted_by)
            if not _is_number(weight) or not 0 < weight < math.inf:
                return f"{self._weighted_by} (strategy.weighted_by_key) must be above 0, got {weight!r}"
        return _weight_fault(metrics.get(WEIGHT), size)


def replace_faulty(replies: Sequence[Message], fault: Callable[[Message], str | None]) -> list[Message]:
    """Return replies, each that has a fault replaced by an error that names it."""
    return [reply if reply.has_error() else _verdict(reply, fault(reply)) for reply in replies]


def _verdict(reply: Message, fault: str | None) -> Message:
    if fault is None:
        return reply
    partition = partition_of(reply.metadata.src_node_id)
    return replacement(reply, None, Error(CLIENT_APP_RAISED, readable(f"client {partition}: {fault}")))


def _judged_by_size(
    replies: Sequence[Message], sizes: _Sizes | None, fault: Callable[[Message, int | None], str | None]
) -> list[Message]:
    """Judge replies by the sizes of their senders' partitions; leave out excused replies."""
    admitted = []
    for reply in replies:
        size = None if sizes is None else int(sizes[partition_of(reply.metadata.src_node_id)])
        if reply.has_error():
            admitted.append(reply)
        elif size or not _excused(reply):
            admitted.append(_verdict(reply, fault(reply, size)))
    return admitted


def _excused(reply: Message) -> bool:
    """Tell whether a client says that it has no rows."""
    metrics = reply.content.get(METRICS)
    return isinstance(metrics, MetricRecord) and _is_number(weight := metrics.get(WEIGHT)) and weight == 0


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _kinds(reply: Message) -> str:
    kinds = [f"{type(record).__name__} {name!r}" for name, record in reply.content.items()]
    return ", ".join(kinds) or "no records"


def _weight_fault(weight: object, size: int | None) -> str | None:
    if _is_number(weight) and 0 < weight < math.inf and (size is None or weight <= size):
        return None
    bound = "finite" if size is None else f"at most {size}, the size of the partition"
    return f"{WEIGHT} must be above 0 and {bound}; got {weight!r}"


def _arrays_fault(record: ArrayRecord, expected: Mapping[str, _Shape]) -> str | None:
    arrays = dict(record.items())
    if list(arrays) != list(expected):
        return f"expected arrays {list(expected)}, got {list(arrays)}"
    for name, array in arrays.items():
        shape, dtype = expected[name]
        try:
            values = unwrapped(array)
        except ValueError as error:
            return f"{name}: {error}"
        if values is None:
            return f"{name} must be an array of NumPy's, got one of kind {array.stype!r}"
        if values.shape != shape or values.dtype != dtype:
            return f"{name} must be {dtype}{shape}, got {values.dtype}{values.shape}"
    return None


def _infinite(reply: Message) -> str | None:
    for record in reply.content.array_records.values():
        for name, array in ndarrays(record).items():
            if not is_finite(array):
                return f"{name} is not finite; a smaller learning rate may help"
    return None


def is_finite(array: NDArray[Any]) -> bool:
    """Tell whether all values of an array are finite, in one pass at the speed of memory if they are."""
    if array.dtype.kind not in "fc":
        return True
    flat = array.reshape(-1)
    with np.errstate(all="ignore"):
        if math.isfinite(abs(np.dot(flat, flat))):
            return True
    return bool(np.isfinite(flat).all())  # finite values whose squares overflow get here too
