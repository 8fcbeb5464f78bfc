"""The training loop: epochs of shuffled batches through either of a model's two paths."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.gradient_tree import GradientTree, Node
from fedlocal.models.protocol import Model, ModelError

Array = NDArray[Any]


def train(
    model: Model,
    rows_x: Array,
    rows_y: Array,
    *,
    batch_size: int,
    epochs: int,
    rng: np.random.Generator,
    accumulate: int = 1,
) -> float:
    """Train a model on some rows for a number of epochs.

    Each epoch visits every row once, in the order of ``rng.permutation(n)``; its last batch may be smaller.

    Parameters
    ----------
    model : Model
        Trained in place.
    rows_x, rows_y : array
        The rows and their targets; only read.
    batch_size : int
        Rows in a batch.
    epochs : int
        Passes over the rows.
    rng : numpy.random.Generator
        Draws the orders, one per epoch, and nothing else.
    accumulate : int
        1: every batch makes one fused update. k >= 2: k batches, a wave, make one update from the mean of
        their gradients, weighted by their rows and summed as
        :class:`~fedlocal.models.gradient_tree.GradientTree` does; an epoch's last wave may have fewer.

    Returns
    -------
    float
        Mean loss over all rows visited, each before the update that it took part in. NaN where there are no
        rows or no epochs: the model is then left as it is.

    Raises
    ------
    ModelError
        If a size is below 1, ``epochs`` is negative, or rows and targets differ in number.
    """
    check_sizes(batch_size, epochs, accumulate)
    if len(rows_x) != len(rows_y):
        raise ModelError(f"{len(rows_x)} rows but {len(rows_y)} targets")
    total, gather = 0.0, Gather(rows_x, rows_y, batch_size)
    for _ in range(epochs):
        order = rng.permutation(len(rows_x))
        if accumulate == 1:
            total += _fused(model, gather, order)
        else:
            total += _accumulated(model, gather, order, accumulate * batch_size)
    visited = epochs * len(rows_x)
    return total / visited if visited else math.nan


class Gather:
    """Gathers batches of some rows, which it only reads, into a buffer that the next batch overwrites."""

    def __init__(self, rows_x: Array, rows_y: Array, batch_size: int) -> None:
        size = min(batch_size, len(rows_x))
        self._x, self._y, self._size = rows_x, rows_y, batch_size
        self._buffer_x = np.empty((size, *rows_x.shape[1:]), rows_x.dtype)
        self._buffer_y = np.empty((size, *rows_y.shape[1:]), rows_y.dtype)

    def batches(self, order: Array) -> Iterator[tuple[Array, Array]]:
        """Yield rows in the given order, a batch at a time."""
        for start in range(0, len(order), self._size):
            chosen = order[start : start + self._size]
            x, y = self._buffer_x[: len(chosen)], self._buffer_y[: len(chosen)]
            # The default mode, "raise", would gather into a hidden copy first.
            np.take(self._x, chosen, axis=0, out=x, mode="clip")
            np.take(self._y, chosen, axis=0, out=y, mode="clip")
            yield x, y


def _fused(model: Model, gather: Gather, order: Array) -> float:
    """Make one update per batch; return the sum of the losses over all rows."""
    return sum(model.train_step(x, y) * len(y) for x, y in gather.batches(order))


def _accumulated(model: Model, gather: Gather, order: Array, rows_at_once: int) -> float:
    """Make one update per wave; return the sum of the losses over all rows."""
    tree, losses = GradientTree(model.size), list[float]()
    for start in range(0, len(order), rows_at_once):
        wave = order[start : start + rows_at_once]
        losses += add_gradients(model, gather, wave, tree, samples=len(wave))
        model.apply(tree.root())
    return sum(losses)


def add_gradients(
    model: Model, gather: Gather, order: Array, tree: GradientTree, *, samples: int, first: int = 0
) -> Iterator[float]:
    """Add the gradients of some batches of a wave to its tree, as each is asked for; the model is only read.

    The batches are the rows of `order`, int64[n], one after another, of which the first is the wave's batch
    `first`. A batch's mean gradient is a leaf, weighted by its share of the wave's rows, `samples`.

    Yields
    ------
    float
        Of each batch, the loss summed over its rows.
    """
    for leaf, (x, y) in enumerate(gather.batches(order), start=first):
        weight, left = len(y) / samples, tree.left_of(leaf)
        if left is not None and model.adds_exactly(len(y), weight):
            loss = model.gradient(x, y, left, weight, add=True)
            tree.added()
        else:
            gradient = tree.spare()
            loss = model.gradient(x, y, gradient, weight)
            tree.add(Node(leaf, 1, gradient))
        yield loss * len(y)


def check_sizes(batch_size: int, epochs: int, accumulate: int = 1) -> None:
    """Raise :class:`ModelError` for the first size that is out of range."""
    for name, value, least in (
        ("batch_size", batch_size, 1),
        ("epochs", epochs, 0),
        ("accumulate", accumulate, 1),
    ):
        if value < least:
            raise ModelError(f"{name} is {value}; it must be at least {least}")
