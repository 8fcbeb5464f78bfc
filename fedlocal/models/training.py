"""The training loop: epochs of shuffled batches through either of a model's two paths."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        1: every batch makes one fused update. k >= 2: k batches make one update from the mean of their
        gradients, weighted by their rows and summed in their order; an epoch's last k may be fewer.

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
    total = 0.0
    for _ in range(epochs):
        epoch = batches(rows_x, rows_y, rng.permutation(len(rows_x)), batch_size)
        total += _fused(model, epoch) if accumulate == 1 else _accumulated(model, epoch, accumulate)
    visited = epochs * len(rows_x)
    return total / visited if visited else math.nan


def batches(rows_x: Array, rows_y: Array, order: Array, batch_size: int) -> Iterator[tuple[Array, Array]]:
    """Yield the rows in the given order, a batch at a time; a batch is overwritten by the next one."""
    size = min(batch_size, len(order))
    buffer_x = np.empty((size, *rows_x.shape[1:]), rows_x.dtype)
    buffer_y = np.empty((size, *rows_y.shape[1:]), rows_y.dtype)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        x, y = buffer_x[: len(chosen)], buffer_y[: len(chosen)]
        # The default mode, "raise", would gather into a hidden copy first.
        np.take(rows_x, chosen, axis=0, out=x, mode="clip")
        np.take(rows_y, chosen, axis=0, out=y, mode="clip")
        yield x, y


class GradientMean:
    """The mean of gradients, weighted by their samples and summed in the order in which they are added.

    Every scheme that accumulates gradients adds them up here, so that all get the same bits.

    Parameters
    ----------
    size : int
        Length of a gradient.

    Attributes
    ----------
    samples : int
        How many were added since the last :meth:`take`.
    """

    def __init__(self, size: int) -> None:
        self._sum = np.zeros(size, np.float32)
        self._weighted = np.empty(size, np.float32)
        self.samples = 0

    def add(self, gradient: NDArray[np.float32], samples: int) -> None:
        """Add the mean gradient, float32[size], of a number of samples."""
        np.multiply(gradient, np.float32(samples), out=self._weighted)
        np.add(self._sum, self._weighted, out=self._sum)
        self.samples += samples

    def take(self) -> NDArray[np.float32]:
        """Return the mean of what was added, float32[size], and start again; valid until the next ``add``."""
        np.divide(self._sum, np.float32(self.samples), out=self._weighted)
        self._sum.fill(0)
        self.samples = 0
        return self._weighted


def _fused(model: Model, epoch: Iterator[tuple[Array, Array]]) -> float:
    """Make one update per batch; return the sum of the losses over all rows."""
    return sum(model.train_step(x, y) * len(y) for x, y in epoch)


@np.errstate(over="ignore", invalid="ignore")
def _accumulated(model: Model, epoch: Iterator[tuple[Array, Array]], accumulate: int) -> float:
    """Make one update per ``accumulate`` batches; return the sum of the losses over all rows."""
    gradient = np.empty(model.size, np.float32)
    mean = GradientMean(model.size)
    total = 0.0
    for count, (x, y) in enumerate(epoch, start=1):
        total += model.gradient(x, y, gradient) * len(y)
        mean.add(gradient, len(y))
        if count % accumulate == 0:
            model.apply(mean.take())
    if mean.samples:
        model.apply(mean.take())
    return total


def check_sizes(batch_size: int, epochs: int, accumulate: int = 1) -> None:
    """Raise :class:`ModelError` for the first size that is out of range."""
    for name, value, least in (
        ("batch_size", batch_size, 1),
        ("epochs", epochs, 0),
        ("accumulate", accumulate, 1),
    ):
        if value < least:
            raise ModelError(f"{name} is {value}; it must be at least {least}")
