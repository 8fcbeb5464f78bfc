"""The memory of a stack of equal networks, and the step that they take together."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.numpy.network import Network, aligned_zeros

Array = NDArray[Any]
Rows = tuple[Array, Array]

SPAN_BYTES = 1 << 22  # of rows gathered at once


class Shape(NamedTuple):
    """What a stack's memory depends on: the numbers of clients, of rows of each and of rows in a batch."""

    clients: int
    rows: int
    batch: int  # no more than there are rows
    target: tuple[int, ...]  # of a row
    dtype: np.dtype[Any]  # of the targets


class StackMemory:
    """The arrays that a stack's training writes to; `vectors`, float32[clients, size], are the parameters.

    Each client's parameters start on a cache line, as a model's do. Rows are gathered for as many batches at
    once as fit: one call per client then serves several steps.
    """

    def __init__(self, network: Network, shape: Shape) -> None:
        self.shape = shape
        line = -(-network.size // 16) * 16
        self.vectors = aligned_zeros(shape.clients * line).reshape(shape.clients, line)[:, : network.size]
        batch_bytes = shape.clients * shape.batch * (network.widths[0] + 1) * 4
        span = min(shape.rows, shape.batch * max(1, SPAN_BYTES // batch_bytes))
        self._x = np.ones((shape.clients, span, network.widths[0] + 1), np.float32)
        self._y = np.empty((shape.clients, span, *shape.target), shape.dtype)
        matrices = network.matrices(self.vectors)
        sizes = {shape.batch, shape.rows % shape.batch} - {0}
        self._steps = {rows: StackStep(network, matrices, rows) for rows in sizes}

    def batches(
        self, rows: Sequence[Rows], orders: Sequence[Array]
    ) -> Iterator[tuple["StackStep", Array, Array]]:
        """Yield every client's rows in its order, a batch of each at a time, and the step for so many."""
        span = self._x.shape[1]
        for start in range(0, self.shape.rows, span):
            count = self._gather(rows, [order[start : start + span] for order in orders])
            for begin in range(0, count, self.shape.batch):
                end = min(begin + self.shape.batch, count)
                y = self._y[:, begin:end].reshape(-1, *self.shape.target)
                yield self._steps[end - begin], self._x[:, begin:end], y

    def _gather(self, rows: Sequence[Rows], chosen: list[Array]) -> int:
        """Copy chosen rows of each client to the start of its memory; return how many."""
        count = len(chosen[0])
        for (x, y), indices, to_x, to_y in zip(
            rows, chosen, self._x[:, :count, :-1], self._y[:, :count], strict=True
        ):
            # Two copies, and faster than np.take_along_axis, which goes by elements.
            np.copyto(to_x, x[indices])
            np.copyto(to_y, y[indices])
        return count


class StackStep:
    """Updates every network of a stack from a batch of `rows` rows of its own.

    The matrices, float32[networks, inputs + 1, outputs] of each layer, are changed in place.
    """

    def __init__(self, network: Network, matrices: list[Array], rows: int) -> None:
        from fedlocal.models.numpy.blas import sgemm  # imported late: it loads SciPy

        self._sgemm = sgemm
        self._network, self._matrices = network, matrices
        self._buffers = network.buffers(len(matrices[0]), rows)
        self._columns = [_columns(matrix) for matrix in matrices]
        self._inputs = [_columns(array) for array in self._buffers.inputs]
        self._deltas = [_columns(array) for array in self._buffers.deltas]

    def update(self, x: Array, y: Array, keep: float, scale: float) -> list[float]:
        """Make one update of each network; return each batch's loss before it, times its rows.

        Parameters
        ----------
        x : float32[networks, rows, inputs + 1]
            With a last column of ones.
        y : array [networks * rows, ...]
            The targets.
        keep, scale : float
            The update's factors, of :class:`fedlocal.models.numpy.sgd.SGD`.
        """
        self._buffers.inputs[0], self._inputs[0] = x, _columns(x)
        outputs = self._network.forward(self._matrices, self._buffers)
        losses = self._network.lose(outputs, y, self._buffers)

        def update(layer: int) -> None:
            of_networks = zip(self._deltas[layer], self._inputs[layer], self._columns[layer], strict=True)
            for delta, inputs, matrix in of_networks:
                # Arguments by position, b transposed and c overwritten: by name they cost a quarter more.
                if self._sgemm(scale, delta, inputs, keep, matrix, 0, 1, 1) is not matrix:
                    raise RuntimeError("BLAS wrote to a copy, not to the parameters")

        self._network.backward(self._matrices, self._buffers, update)
        return [loss * x.shape[1] for loss in losses]


def _columns(stack: Array) -> list[Array]:
    """Return the transpose of each matrix: BLAS sees a matrix that lies by rows as its transpose."""
    return list(stack.swapaxes(1, 2))
