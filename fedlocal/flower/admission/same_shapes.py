"""The strict policy for any app: trained arrays have the shapes and dtypes of arrays that were sent."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Message

from fedlocal.flower.admission.strict import WEIGHT, is_finite, replace_faulty
from fedlocal.flower.messages.arrays import ndarrays

Shapes = Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]


def shapes_of(content: Sequence[ArrayRecord]) -> list[Shapes]:
    """Return names, shapes and dtypes of the arrays of each record."""
    return [
        {name: (array.shape, array.dtype) for name, array in ndarrays(record).items()} for record in content
    ]


def require_same_shapes(reply: Message, sent: Sequence[Shapes]) -> Message:
    """Return a reply to training, or the error in its place.

    Its array records must each have the names, shapes and dtypes of one that was sent, and finite values; a
    ``num-examples`` must be above 0 and finite. Replies to other messages are admitted.
    """
    if reply.metadata.message_type.partition(".")[0] != "train":
        return reply
    return replace_faulty([reply], lambda reply: _fault(reply, sent))[0]


def _fault(reply: Message, sent: Sequence[Shapes]) -> str | None:
    for name, record in reply.content.array_records.items():
        try:
            (shapes,) = shapes_of([record])
        except ValueError as error:
            return f"{name}: {error}"
        if shapes not in sent:
            return f"the arrays of {name} are not like those that were sent: {_in_words(shapes)}"
        for key, array in ndarrays(record).items():
            if not is_finite(array):
                return f"{name}: {key} is not finite; a smaller learning rate may help"
    for metrics in reply.content.metric_records.values():
        weight = metrics.get(WEIGHT, 1)
        if not isinstance(weight, int | float) or not 0 < weight < math.inf:
            return f"{WEIGHT} must be above 0 and finite; got {weight!r}"
    return None


def _in_words(shapes: Shapes) -> str:
    return ", ".join(f"{name} {dtype}{list(shape)}" for name, (shape, dtype) in list(shapes.items())[:10])
