"""Admission of replies: a bad reply is that client's error, never the run's.

Flower's strategies check neither shapes nor dtypes nor finiteness nor weights. `Strict` admits what
fedlocal's own client may send, and turns all else into an error of that client. Whether all values are finite
is a question of its own: it costs a pass over the arrays, which a mean of them answers on the way.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from flwr.app import ArrayRecord, Error, Message, MetricRecord
from numpy.typing import NDArray

from fedlocal.flower.arrays import ndarrays
from fedlocal.flower.host import partition_of
from fedlocal.flower.private import CLIENT_APP_RAISED

WEIGHT = "num-examples"

_Shape = tuple[tuple[int, ...], np.dtype[Any]]


class Admission(Protocol):
    """Replaces bad replies by errors that say why."""

    def structure(self, replies: Sequence[Message], sent: ArrayRecord) -> list[Message]:
        """Judge all but the values of the arrays."""
        ...

    def values(self, replies: Sequence[Message]) -> list[Message]:
        """Judge the values of the arrays of replies whose structure was admitted."""
        ...


class Strict:
    """Admits replies to training: arrays as sent, all finite, and a weight that can be true.

    Parameters
    ----------
    sizes : sequence of int
        Rows of each partition: no client can have trained on more.
    """

    def __init__(self, sizes: Sequence[int] | NDArray[np.int64]) -> None:
        self._sizes = sizes

    def structure(self, replies: Sequence[Message], sent: ArrayRecord) -> list[Message]:
        """Replace replies with other arrays than those sent, or with an impossible weight."""
        expected = {name: (array.shape, array.dtype) for name, array in ndarrays(sent).items()}
        return [_judged(reply, lambda reply: self._fault(reply, expected)) for reply in replies]

    def values(self, replies: Sequence[Message]) -> list[Message]:
        """Replace replies with an array that is not finite."""
        return [_judged(reply, _infinite) for reply in replies]

    def _fault(self, reply: Message, expected: Mapping[str, _Shape]) -> str | None:
        arrays, metrics = [], []
        for record in reply.content.values():
            if isinstance(record, ArrayRecord):
                arrays.append(record)
            elif isinstance(record, MetricRecord):
                metrics.append(record)
        if len(metrics) != 1:
            return f"expected one metric record, got {len(metrics)}"
        if len(arrays) != 1:
            return f"expected one array record, got {len(arrays)}"
        return self._weight_fault(reply, metrics[0]) or _arrays_fault(ndarrays(arrays[0]), expected)

    def _weight_fault(self, reply: Message, metrics: MetricRecord) -> str | None:
        weight, size = metrics.get(WEIGHT), int(self._sizes[partition_of(reply.metadata.src_node_id)])
        if isinstance(weight, int | float) and 0 < weight <= size:
            return None
        return f"{WEIGHT} must be above 0 and at most {size}, the size of the partition; got {weight!r}"


def _judged(reply: Message, fault_of: Callable[[Message], str | None]) -> Message:
    if reply.has_error() or not (reason := fault_of(reply)):
        return reply
    partition = partition_of(reply.metadata.src_node_id)
    refused = Message(Error(CLIENT_APP_RAISED, f"client {partition}: {reason}"), reply_to=reply)
    refused.metadata.__dict__.update(reply.metadata.__dict__)
    return refused


def _arrays_fault(arrays: Mapping[str, NDArray[Any]], expected: Mapping[str, _Shape]) -> str | None:
    if list(arrays) != list(expected):
        return f"expected arrays {list(expected)}, got {list(arrays)}"
    for name, array in arrays.items():
        shape, dtype = expected[name]
        if array.shape != shape or array.dtype != dtype:
            return f"{name} must be {dtype}{shape}, got {array.dtype}{array.shape}"
    return None


def _infinite(reply: Message) -> str | None:
    for record in reply.content.array_records.values():
        for name, array in ndarrays(record).items():
            if not _finite(array):
                return f"{name} is not finite; a smaller learning rate may help"
    return None


def _finite(array: NDArray[Any]) -> bool:
    if array.dtype.kind not in "fc":
        return True
    flat = array.reshape(-1)
    with np.errstate(all="ignore"):
        if math.isfinite(abs(np.dot(flat, flat))):  # one pass at the speed of memory; all is finite
            return True
    return bool(np.isfinite(flat).all())  # or the squares were too large
