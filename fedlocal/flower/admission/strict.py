"""The strict policy: replies are what was declared, arrays are like those sent, and their values finite."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord
from numpy.typing import NDArray

from fedlocal.flower.admission.policy import ARRAYS, METRICS, VECTORS, WEIGHT, Declaration, replace_faulty
from fedlocal.flower.admission.structural import Structural
from fedlocal.flower.messages.arrays import ndarrays, unwrapped
from fedlocal.flower.node.client_runner import partition_of

MAX_METRICS, MAX_NAME = 1000, 200
_BUDGETS = Structural()

_Shapes = Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]
Sizes = Sequence[int] | NDArray[np.int64]


@dataclass(frozen=True)
class Strict:
    """Admits what a declaration says.

    A client that has no rows, and says so with a weight of 0, is excused: its reply is left out, and is no
    error.

    Parameters
    ----------
    sizes : sequence of int, optional
        Rows of each partition to train on: no client can have trained on more. By default unknown.
    held_out : sequence of int, optional
        Rows of each partition to evaluate on; by default unknown, and a weight of 0 always excused.
    declaration : Declaration
        What replies to training hold.
    """

    sizes: Sizes | None = None
    held_out: Sizes | None = None
    declaration: Declaration = field(default_factory=Declaration)

    uniform = True

    def structure(self, replies: Sequence[Message], *sent: ArrayRecord) -> list[Message]:
        """Replace replies with other arrays than those sent, impossible weights, or unusable metrics."""
        shapes = [_shapes_of(record) for record in sent]
        if not self.declaration.records:
            return replace_faulty(_BUDGETS.structure(replies), lambda reply: _unlike(reply, shapes))
        expected = {ARRAYS: shapes[0]}
        if vectors := self.declaration.vectors:
            expected[VECTORS] = {name: ((size,), np.dtype(np.float32)) for name, size in vectors.items()}
        return replace_faulty(
            _heard(replies, self.sizes), lambda reply: self._training_fault(reply, expected)
        )

    def values(self, replies: Sequence[Message]) -> list[Message]:
        """Replace replies with an array that is not finite."""
        return replace_faulty(replies, _infinite)

    def evaluation(self, replies: Sequence[Message]) -> list[Message]:
        """Replace replies with impossible weights, or unusable metrics."""
        if not self.declaration.records:
            return _BUDGETS.evaluation(replies)
        return replace_faulty(_heard(replies, self.held_out), self._evaluation_fault)

    def _training_fault(self, reply: Message, expected: Mapping[str, _Shapes]) -> str | None:
        arrays, metrics = reply.content.array_records, reply.content.get(METRICS)
        others = len(reply.content) - len(arrays) - 1
        if list(arrays) != list(expected) or not isinstance(metrics, MetricRecord) or others:
            names = ", ".join(f"an array record {name!r}" for name in expected)
            return f"expected {names} and a metric record {METRICS!r}, got {_kinds(reply)}"
        faults = (_arrays_fault(arrays[name], shapes) for name, shapes in expected.items())
        fault = self._metrics_fault(metrics, _size_of(reply, self.sizes), self.declaration.losses)
        return fault or next(filter(None, faults), None)

    def _evaluation_fault(self, reply: Message) -> str | None:
        metrics = reply.content.get(METRICS)
        if len(reply.content) != 1 or not isinstance(metrics, MetricRecord):
            return f"expected one metric record {METRICS!r}, got {_kinds(reply)}"
        return self._metrics_fault(metrics, _size_of(reply, self.held_out), ())

    def _metrics_fault(self, record: MetricRecord, size: int | None, losses: Sequence[str]) -> str | None:
        metrics, weighted_by = dict(record.items()), self.declaration.weighted_by
        if len(metrics) > MAX_METRICS:
            return f"at most {MAX_METRICS} metrics, got {len(metrics)}"
        for name in metrics:
            if not name.isprintable() or len(name) > MAX_NAME:
                return f"metrics have names of at most {MAX_NAME} characters that print, got {name!r}"
        for name in losses:
            if not _is_finite(loss := metrics.get(name)) or loss < 0:
                return f"{name} must be finite and at least 0, got {loss!r}; a smaller learning rate may help"
        weight = metrics.get(weighted_by)
        if weighted_by != WEIGHT and not (_is_finite(weight) and weight > 0):
            return f"{weighted_by} (strategy.weighted_by_key) must be above 0, got {weight!r}"
        return _weight_fault(metrics.get(WEIGHT), size)


def _heard(replies: Sequence[Message], sizes: Sizes | None) -> list[Message]:
    """Leave out replies of clients that say that they have no rows, where that can be true."""
    return [reply for reply in replies if reply.has_error() or _size_of(reply, sizes) or _weight(reply) != 0]


def _weight(reply: Message) -> object:
    metrics = reply.content.get(METRICS)
    return metrics.get(WEIGHT) if isinstance(metrics, MetricRecord) else None


def _size_of(reply: Message, sizes: Sizes | None) -> int | None:
    return None if sizes is None else int(sizes[partition_of(reply.metadata.src_node_id)])


def _is_finite(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _kinds(reply: Message) -> str:
    kinds = [f"{type(record).__name__} {name!r}" for name, record in reply.content.items()]
    return ", ".join(kinds) or "no records"


def _weight_fault(weight: object, size: int | None) -> str | None:
    if _is_finite(weight) and 0 < weight <= (math.inf if size is None else size):
        return None
    bound = "finite" if size is None else f"at most {size}, the size of the partition"
    return f"{WEIGHT} must be above 0 and {bound}; got {weight!r}"


def _shapes_of(record: ArrayRecord) -> _Shapes:
    return {name: (array.shape, array.dtype) for name, array in ndarrays(record).items()}


def _arrays_fault(record: ArrayRecord, expected: _Shapes) -> str | None:
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


def _unlike(reply: Message, sent: Sequence[_Shapes]) -> str | None:
    """Find an array record like none that was sent, or a weight that cannot be true."""
    for name, record in reply.content.array_records.items():
        try:
            shapes = _shapes_of(record)
        except ValueError as error:
            return f"{name}: {error}"
        if shapes not in sent:
            words = (f"{key} {dtype}{list(shape)}" for key, (shape, dtype) in list(shapes.items())[:10])
            return f"the arrays of {name} are not like those that were sent: {', '.join(words)}"
    weights = (metrics.get(WEIGHT, 1) for metrics in reply.content.metric_records.values())
    return next(filter(None, (_weight_fault(weight, None) for weight in weights)), None)


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
