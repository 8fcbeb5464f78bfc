"""Training many equal small networks at once, each to the bits that it gets alone.

A step of a small network is bound by Python's calls, not by arithmetic. Clients that start from the same
parameters with equally many rows make the same calls, so a stack of them shares each call but one: the fused
update, which BLAS makes for one matrix at a time.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.numpy.mlp import MLP
from fedlocal.models.numpy.stack_memory import Array, Rows, Shape, StackMemory
from fedlocal.models.protocol import Model, ModelError
from fedlocal.models.training import check_sizes

Vector = NDArray[np.float32]

STACK_BYTES = 1 << 20  # of parameters and of what a step fills: they should stay in a core's cache
TALLEST = 64  # beyond, the calls that clients share cost next to nothing already

_quietly = np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore")


def stack_height(model: Model, batch_size: int) -> int:
    """Return how many clients of this model to train at once; 0 where it cannot be trained in stacks.

    Only an :class:`MLP` itself can, since a subclass may have other steps, and only without momentum. Below 2
    there is nothing to gain.
    """
    if type(model) is not MLP or not model.optimizer.stateless:
        return 0
    widths = model.network.widths
    filled = batch_size * (sum(widths) + len(widths) + sum(widths[1:]))
    return min(TALLEST, STACK_BYTES // (4 * (model.size + filled)))


class Stack:
    """Trains many clients of one model, as many at once as suit the cache.

    Parameters
    ----------
    model : MLP
        Gives the network, and at each call the parameters that clients start from, the learning rate and the
        anchor. It is not changed.
    """

    def __init__(self, model: MLP) -> None:
        self._model = model
        self._memory: StackMemory | None = None

    def named(self, vectors: Vector) -> Iterator[dict[str, Array]]:
        """Cut each client's parameters, float32[clients, size], into the model's named arrays: views."""
        stacked = self._model.network.named(vectors)
        return (dict(zip(stacked, arrays, strict=True)) for arrays in zip(*stacked.values(), strict=True))

    @_quietly
    def train_many(
        self, rows: Sequence[Rows], *, batch_size: int, epochs: int, rngs: Sequence[np.random.Generator]
    ) -> tuple[Vector, list[float]]:
        """Train clients, each on its own rows from the model's parameters.

        Parameters
        ----------
        rows : sequence of (x, y)
            Of each client: the rows and their targets, equal in shapes and in the targets' dtype.
        batch_size, epochs : int
            As for :func:`fedlocal.models.train`.
        rngs : sequence of numpy.random.Generator
            Each client's own, which draws its orders.

        Returns
        -------
        vectors : float32[clients, size]
            Each client's parameters; `named` cuts them into named arrays.
        losses : list of float
            Each client's mean loss. Both have the bits of :func:`fedlocal.models.train` for the client alone.

        Raises
        ------
        ModelError
            If the model's optimiser has momentum, a size is out of range, or rows do not suit the model or
            each other.
        """
        check_sizes(batch_size, epochs)
        _check(self._model, rows, rngs)
        vectors = np.tile(self._model.vector, (len(rows), 1))
        if not rows or not epochs or not len(rows[0][0]):
            return vectors, [math.nan] * len(rows)
        losses = []
        height = stack_height(self._model, min(batch_size, len(rows[0][0])))
        for part in _parts(len(rows), max(1, height)):
            vectors[part], of_part = self._train(rows[part], batch_size, epochs, rngs[part])
            losses += of_part
        return vectors, losses

    def _train(
        self, rows: Sequence[Rows], batch_size: int, epochs: int, rngs: Sequence[np.random.Generator]
    ) -> tuple[Vector, list[float]]:
        """Train one stack; the vectors returned are overwritten by the next one."""
        memory = self._memory_for(rows, batch_size)
        memory.vectors[:] = self._model.vector
        count, optimizer = len(rows[0][0]), self._model.optimizer
        pulled = list(memory.vectors) if optimizer.anchored else []
        totals = [0.0] * len(rows)
        for _ in range(epochs):
            orders, steps = [rng.permutation(count) for rng in rngs], list[list[float]]()
            for step, x, y in memory.batches(rows, orders):
                steps.append(step.update(x, y, optimizer.keep, optimizer.scale))
                for vector in pulled:
                    optimizer.pull(vector)
            # As in train, the builtin sum, whose rounding is its own, and that epoch by epoch.
            of_epoch = [sum(of_client) for of_client in zip(*steps, strict=True)]
            totals = [total + loss for total, loss in zip(totals, of_epoch, strict=True)]
        return memory.vectors, [total / (epochs * count) for total in totals]

    def _memory_for(self, rows: Sequence[Rows], batch_size: int) -> StackMemory:
        """Return the memory of the last stack if it had the same shape, else new memory."""
        x, y = rows[0]
        shape = Shape(len(rows), len(x), min(batch_size, len(x)), y.shape[1:], y.dtype)
        if self._memory is None or self._memory.shape != shape:
            self._memory = StackMemory(self._model.network, shape)
        return self._memory


def _parts(count: int, height: int) -> Iterator[slice]:
    """Cut a number of clients into as few stacks as can be: some of one height, then some one lower."""
    stacks = -(-count // height)
    least, higher = divmod(count, stacks)
    end = 0
    for index in range(stacks):
        start, end = end, end + least + (index < higher)
        yield slice(start, end)


def _check(model: MLP, rows: Sequence[Rows], rngs: Sequence[np.random.Generator]) -> None:
    if not model.optimizer.stateless:
        raise ModelError("a stack is trained without momentum; train clients one by one")
    if len(rows) != len(rngs):
        raise ModelError(f"{len(rows)} clients but {len(rngs)} generators; give each client its own")
    if not rows:
        return
    count, dtype = len(rows[0][0]), rows[0][1].dtype
    inputs, outputs = model.network.widths[0], model.network.widths[-1]
    shapes = (count, inputs), (count,) if model.network.classes else (count, outputs)
    for client, (x, y) in enumerate(rows):
        if (x.shape, y.shape) != shapes or y.dtype != dtype:
            raise ModelError(
                f"client {client} of a stack has rows {x.shape} and targets {y.dtype} {y.shape}; beside the "
                f"first client and for this model they must be {shapes[0]} and {dtype} {shapes[1]}"
            )
