"""The two passes of a multilayer perceptron apart, so that two actors may make them, each of some layers.

What a pass leaves for the next one lies in memory that both have. A pass may be made again, from its start,
whatever became of it before: it changes nothing that it reads.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.arrays import quietly
from fedlocal.models.numpy.mlp import MLP
from fedlocal.models.numpy.network import Buffers
from fedlocal.models.protocol import ModelError

Array = NDArray[Any]
Vector = NDArray[np.float32]


class Passes:
    """The forward and the backward pass through some layers of a model that follow one another.

    All layers' passes, one after another, give the bits of :meth:`MLP.gradient`. The model's parameters are
    only read, and may change between two passes.
    """

    def __init__(self, model: MLP, layers: range) -> None:
        from fedlocal.models.numpy.blas import add_product  # imported late: it loads SciPy

        self._model, self._network, self._layers = model, model.network, layers
        self._add_product = add_product
        self._scratch: dict[int, list[Array]] = {}

    @quietly
    def forward(self, buffers: Buffers) -> None:
        """Fill the input of the layer above from the input of the first of these layers."""
        self._network.forward(self._model.layers, buffers, self._layers)

    @quietly
    def lose(self, buffers: Buffers, y: Array) -> float:
        """Return the mean loss of the outputs; write its gradient into the last delta."""
        return self._network.lose(buffers.values[-1], y, buffers)[0]

    @quietly
    def backward(self, buffers: Buffers, out: Vector, weight: float) -> None:
        """Write `weight` times the gradient of these layers into their part of `out`, float32[size].

        It needs the delta of the last of these layers, and writes that of the layer below.
        """
        targets = self._network.matrices(out)

        def update(layer: int) -> None:
            self._add_product(targets[layer], buffers.inputs[layer], buffers.deltas[layer], 0.0, weight)

        self._network.backward(self._model.layers, buffers, update, self._layers, self._values(buffers))

    def part(self, vector: Vector) -> Vector:
        """Return the part of a gradient that is of these layers: a view."""
        matrices = self._network.matrices(vector)
        start = sum(matrix.size for matrix in matrices[: self._layers[0]])
        return vector[start : start + sum(matrices[layer].size for layer in self._layers)]

    def _values(self, buffers: Buffers) -> list[Array]:
        """Return copies of the outputs that the backward pass uses up."""
        copies = self._scratch.setdefault(buffers.rows, [np.empty_like(array) for array in buffers.values])
        for layer in (self._layers[0] - 1, *self._layers):
            if layer >= 0:
                np.copyto(copies[layer], buffers.values[layer])
        return copies


def stages_of(model: Any, count: int) -> list[range]:
    """Cut an :class:`MLP`'s layers into 1 to all stages of about equal work, the lowest first.

    Raises
    ------
    ModelError
        If the model cannot be cut, or not into so many.
    """
    if not isinstance(model, MLP):
        raise ModelError(
            f"{type(model).__name__} makes its passes in one piece; set scheme.stages=0, or model=mlp"
        )
    sizes = [matrix.size for matrix in model.layers]
    if not 1 <= count <= len(sizes):
        raise ModelError(f"this model has {len(sizes)} layers; it cannot be cut into {count} stages")
    return _evenly(sizes, count)


def _evenly(sizes: list[int], count: int) -> list[range]:
    """Cut a sequence of sizes into parts whose largest is as small as can be."""
    if count == 1:
        return [range(len(sizes))]
    cuts = [
        [range(end), *(range(part.start + end, part.stop + end) for part in _evenly(sizes[end:], count - 1))]
        for end in range(1, len(sizes) - count + 2)
    ]
    return min(cuts, key=lambda parts: max(sum(sizes[index] for index in part) for part in parts))
