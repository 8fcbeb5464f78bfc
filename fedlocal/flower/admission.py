"""Admission of replies: a bad reply is that client's error, never the run's.

Flower's strategies check neither shapes nor dtypes nor finiteness nor weights. `Strict` admits what
fedlocal's own client may send, and turns all else into an error of that client.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Error, Message
from numpy.typing import NDArray

from fedlocal.flower.arrays import ndarrays
from fedlocal.flower.host import partition_of
from fedlocal.flower.private import CLIENT_APP_RAISED

WEIGHT = "num-examples"


class Strict:
    """Admits replies to training: arrays as sent, all finite, and a weight that can be true.

    Parameters
    ----------
    sizes : sequence of int
        Rows of each partition: no client can have trained on more.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes

    def __call__(self, replies: Sequence[Message], sent: ArrayRecord) -> list[Message]:
        """Return the replies; each bad one is replaced by an error that says why."""
        expected = ndarrays(sent)
        return [self._admitted(reply, expected) for reply in replies]

    def _admitted(self, reply: Message, expected: Mapping[str, NDArray[Any]]) -> Message:
        if reply.has_error():
            return reply
        partition = partition_of(reply.metadata.src_node_id)
        reason = self._weight_fault(reply, partition) or _arrays_fault(reply, expected)
        if not reason:
            return reply
        refused = Message(Error(CLIENT_APP_RAISED, f"client {partition}: {reason}"), reply_to=reply)
        refused.metadata.__dict__.update(reply.metadata.__dict__)
        return refused

    def _weight_fault(self, reply: Message, partition: int) -> str | None:
        records = list(reply.content.metric_records.values())
        if len(records) != 1:
            return f"expected one metric record, got {len(records)}"
        weight, size = records[0].get(WEIGHT), self._sizes[partition]
        if isinstance(weight, int | float) and 0 < weight <= size:
            return None
        return f"{WEIGHT} must be above 0 and at most {size}, the size of the partition; got {weight!r}"


def _arrays_fault(reply: Message, expected: Mapping[str, NDArray[Any]]) -> str | None:
    records = list(reply.content.array_records.values())
    if len(records) != 1:
        return f"expected one array record, got {len(records)}"
    arrays = ndarrays(records[0])
    if list(arrays) != list(expected):
        return f"expected arrays {list(expected)}, got {list(arrays)}"
    for name, array in arrays.items():
        model = expected[name]
        if array.shape != model.shape or array.dtype != model.dtype:
            return f"{name} must be {model.dtype}{model.shape}, got {array.dtype}{array.shape}"
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
