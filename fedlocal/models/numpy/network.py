"""The shape of a multilayer perceptron and its two passes, for one network or for a stack of equal ones.

One network's arrays have the axes named below; a stack's have one more in front. ``np.matmul`` calls the same
BLAS routine for each matrix of a stack as for one alone, and everything else works on the rows of all
networks as if they were one's. So a network in a stack gets the bits that it gets alone.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.numpy.activations import HIDDEN, OUTPUTS, Activation
from fedlocal.models.numpy.losses import LOSSES, Loss
from fedlocal.models.protocol import ModelError

Array = NDArray[Any]


class Buffers:
    """The float32 arrays that the passes over a batch fill, and the views of them that every step needs.

    ``inputs``, [rows, width + 1] of each layer, end in a column of ones; then come the outputs, whose last
    column is not used. The first one is the batch, which the caller fills or puts another array in place of.
    ``deltas``, [rows, width], are the loss's gradient with respect to what each layer's product gives.
    ``products`` are each layer's product: the next layer's input without its ones. ``above``, ``values`` and
    ``slopes`` are each layer's output with ones and without, and its delta, with the rows of all networks as
    one's.
    """

    def __init__(self, inputs: list[Array], deltas: list[Array]) -> None:
        self.inputs, self.deltas = inputs, deltas
        self.products = [array[..., :-1] for array in inputs[1:]]
        self.above = [array.reshape(-1, array.shape[-1]) for array in inputs[1:]]
        self.values = [array[:, :-1] for array in self.above]
        self.slopes = [array.reshape(-1, array.shape[-1]) for array in deltas]

    @property
    def rows(self) -> int:
        """Rows in a batch."""
        return int(self.deltas[0].shape[-2])

    def first(self, rows: int) -> "Buffers":
        """Return views of one network's first rows."""
        return Buffers([array[:rows] for array in self.inputs], [array[:rows] for array in self.deltas])


@dataclass(frozen=True)
class Network:
    """Dense layers without their parameters; widths are those of inputs, hidden layers and outputs.

    A layer is one matrix [inputs + 1, outputs] whose last row is the bias. `hidden` comes after the hidden
    layers, `output` after the last one. Targets are class codes, int64[n], or real values, float32[n,
    outputs].
    """

    widths: tuple[int, ...]
    hidden: Activation
    output: Activation
    loss: Loss
    classes: bool

    @classmethod
    def of(cls, widths: list[int], activation: str, output: str, loss: str, *, classes: bool) -> "Network":
        """Make a network of functions given by name.

        Raises
        ------
        ModelError
            If a width is below 1, a name is unknown, or they do not go together.
        """
        if min(widths) < 1:
            raise ModelError(f"layers of widths {widths} (inputs, hidden, outputs): each must be at least 1")
        for option, name, functions in (
            ("activation", activation, HIDDEN),
            ("output", output, OUTPUTS),
            ("loss", loss, LOSSES),
        ):
            if name not in functions:
                raise ModelError(f"{option}={name!r} is unknown; choose one of {sorted(functions)}")
        if loss == "cross_entropy" and output != "softmax":
            raise ModelError(f"loss='cross_entropy' needs output='softmax', not {output!r}")
        if output == "softmax" and not classes:
            raise ModelError(
                "output='softmax' gives probabilities of classes, but the targets are real values; "
                "use model=regressor, or output='identity' with loss='mean_squared_error'"
            )
        return cls(tuple(widths), HIDDEN[activation], OUTPUTS[output], LOSSES[loss], classes)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(self.widths))

    def matrices(self, vector: Array) -> list[Array]:
        """Cut parameters, [size], into a view [inputs + 1, outputs] per layer."""
        views, end = [], 0
        for inputs, outputs in itertools.pairwise(self.widths):
            start, end = end, end + (inputs + 1) * outputs
            views.append(vector[..., start:end].reshape(*vector.shape[:-1], inputs + 1, outputs))
        return views

    def named(self, vector: Array) -> dict[str, Array]:
        """Cut parameters, [size], into views ``layer0.weight`` [inputs, outputs], ``layer0.bias`` etc."""
        named = {}
        for index, matrix in enumerate(self.matrices(vector)):
            named[f"layer{index}.weight"] = matrix[..., :-1, :]
            named[f"layer{index}.bias"] = matrix[..., -1, :]
        return named

    def buffers(self, *shape: int) -> Buffers:
        """Make buffers for a batch of ``shape`` (rows,), or (networks, rows) of a stack."""
        return Buffers(
            [np.ones((*shape, width + 1), np.float32) for width in self.widths],
            [np.empty((*shape, width), np.float32) for width in self.widths[1:]],
        )

    def buffers_size(self, rows: int) -> int:
        """Return how many float32 `buffers_in` needs for batches of so many rows."""
        return sum(_aligned(rows * width) for width in self._buffer_widths())

    def buffers_in(self, memory: Array, rows: int) -> Buffers:
        """Lay buffers for batches of `rows` rows in memory, float32[buffers_size(rows)]; write their ones."""
        views, end = [], 0
        for width in self._buffer_widths():
            views.append(memory[end : end + rows * width].reshape(rows, width))
            end += _aligned(rows * width)
        inputs, deltas = views[: len(self.widths)], views[len(self.widths) :]
        for array in inputs:
            array[:, -1] = 1
        return Buffers(inputs, deltas)

    def _buffer_widths(self) -> list[int]:
        return [*(width + 1 for width in self.widths), *self.widths[1:]]

    def forward(self, matrices: list[Array], buffers: Buffers, layers: range | None = None) -> Array:
        """Fill the inputs above layers that follow one another, by default all, from the first's input.

        Returns the outputs, [rows, outputs] of all networks.
        """
        for index in layers or range(len(matrices)):
            np.matmul(buffers.inputs[index], matrices[index], out=buffers.products[index])
            if index < len(matrices) - 1:
                above = buffers.above[index]
                self.hidden.forward(above)  # with its ones: NumPy takes twice as long over all but a column
                above[:, -1] = 1
            else:
                self.output.forward(buffers.values[-1])
        return buffers.values[-1]

    def lose(self, outputs: Array, y: Array, buffers: Buffers) -> list[float]:
        """Return each network's mean loss; leave its gradient in the last delta."""
        return self.loss.values_and_gradients(outputs, y, buffers.slopes[-1], buffers.rows)

    def backward(
        self,
        matrices: list[Array],
        buffers: Buffers,
        update: Callable[[int], None],
        layers: range | None = None,
        values: list[Array] | None = None,
    ) -> None:
        """Bring the delta of the last of some layers, by default all, below the first of them.

        ``update(layer)`` is called once the layer's input and delta are what its gradient needs; only it may
        change the layer's parameters. What ``values`` hold, each layer's outputs, is lost.
        """
        layers, values = layers or range(len(matrices)), values or buffers.values
        if layers[-1] == len(matrices) - 1 and not self.loss.before_activation:
            self.output.backward(values[-1], buffers.slopes[-1])
        for index in reversed(layers):
            if index:
                weight = matrices[index][..., :-1, :]
                np.matmul(buffers.deltas[index], weight.swapaxes(-1, -2), out=buffers.deltas[index - 1])
            update(index)
            if index:
                self.hidden.backward(values[index - 1], buffers.slopes[index - 1])


def _aligned(floats: int) -> int:
    """Round up to whole cache lines of 64 bytes."""
    return -(-floats // 16) * 16


def aligned_zeros(size: int) -> NDArray[np.float32]:
    """Return float32[size] of zeros that starts on a cache line of 64 bytes."""
    memory = np.zeros(size + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    return memory[start : start + size]
