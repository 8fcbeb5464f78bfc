"""The answers of a saved model: of the model itself, and of actors that each hold it.

This is all that a worker imports, beside the model.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import Outcome, SharedArray, Wire
from fedlocal.actors.spawned.values import decode, encode
from fedlocal.data import FeatureScaling
from fedlocal.memory.parts import ArrayParts
from fedlocal.models import Model

Array = NDArray[Any]
ModelMaker = partial[Model]
"""`fedlocal.models.make` with all its arguments: a factory, and by their names the others."""

RANGE = struct.Struct("<qq")  # of a message: its first row in the block, and the row after its last


@dataclass(frozen=True)
class Block:
    """Rows that are asked about together.

    Parameters
    ----------
    rows : ndarray, shape (n, ...)
        Real numbers, C-contiguous.
    raw : bool
        Whether they are still to be scaled.
    """

    rows: Array
    raw: bool

    def part(self, start: int, stop: int) -> "Block":
        """Return some of the rows."""
        return Block(self.rows[start:stop], self.raw)


def answer(model: Model, scaling: FeatureScaling | None, block: Block) -> Array:
    """Return the model's outputs for a batch, [n, outputs]."""
    with np.errstate(over="ignore"):  # what becomes infinite shows in the outputs
        if scaling and block.raw:
            x = scaling(block.rows)
        else:
            x = np.ascontiguousarray(block.rows.reshape(len(block.rows), -1), np.float32)
    return model.predict(x)


class Weights:
    """A model's arrays in memory that workers share."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._names = list(arrays)
        self._parts = ArrayParts((array.dtype, array.shape) for array in arrays.values())
        self._memory = SharedArray((max(self._parts.nbytes, 1),), np.uint8)
        for name, view in self.arrays.items():
            np.copyto(view, arrays[name])

    @property
    def arrays(self) -> dict[str, Array]:
        """Views by name."""
        return dict(zip(self._names, self._parts.of(self._memory.array), strict=True))

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()


class ModelBehaviour:
    """The behaviour of actors that hold the model, and answer for a batch of rows each.

    Parameters
    ----------
    new_model : ModelMaker
        Makes it.
    weights : Weights
        Its arrays.
    scaling : FeatureScaling or None
        Of raw rows.
    """

    def __init__(self, new_model: ModelMaker, weights: Weights, scaling: FeatureScaling | None) -> None:
        self._model, self._scaling = new_model(), scaling
        self._model.load(weights.arrays)

    def handle(self, actor: int, message: Wire, state: bytes) -> Outcome:  # noqa: ARG002
        """Return the outputs for the rows of a range."""
        block = Block(*decode([message.header, *message.arrays])).part(*RANGE.unpack(message.body))
        body, *arrays = encode(answer(self._model, self._scaling, block))
        return Wire(body=bytes(body), arrays=arrays), b""
