"""Loss functions: a mean over the rows of a batch, and its gradient, for any number of equal batches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SMALLEST = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Loss:
    """A loss of the outputs against the targets.

    ``values_and_gradients(outputs, y, delta, rows)`` takes batches of ``rows`` rows, one after another. It
    returns the mean loss of each and writes its gradient into ``delta``, float32[n, outputs]; y is int64[n]
    (class codes) or float32[n, outputs]. ``before_activation`` says whether that gradient is already the one
    with respect to what enters the output's activation.
    """

    values_and_gradients: Callable[[Array, Array, Array, int], list[float]]
    before_activation: bool


def _mean_squared_error(outputs: Array, y: Array, delta: Array, rows: int) -> list[float]:
    """Mean of (output - target)^2 over the rows and the outputs; class codes stand for one-hot targets."""
    if y.ndim == 1:
        np.copyto(delta, outputs)
        delta[np.arange(len(y)), y] -= 1
    else:
        np.subtract(outputs, y, out=delta)
    count = rows * delta.shape[1]
    losses = [float(np.vdot(batch, batch)) / count for batch in delta.reshape(-1, count)]
    np.multiply(delta, 2 / count, out=delta)
    return losses


def _cross_entropy(outputs: Array, y: Array, delta: Array, rows: int) -> list[float]:
    """Mean of -log(probability of the true class), for probabilities that come from a softmax.

    Its gradient before the softmax is (probabilities - one-hot) / rows. A probability that underflowed counts
    as the smallest normal number, so that one row adds 87.3 at most.
    """
    rows_of_y = np.arange(len(y))
    likelihood = outputs[rows_of_y, y]
    np.copyto(delta, outputs)
    delta[rows_of_y, y] = likelihood - 1
    np.multiply(delta, 1 / rows, out=delta)
    logs = np.log(np.maximum(likelihood, _SMALLEST)).reshape(-1, rows)
    return [-total / rows for total in logs.sum(axis=1).tolist()]


LOSSES = {
    "mean_squared_error": Loss(_mean_squared_error, before_activation=False),
    "cross_entropy": Loss(_cross_entropy, before_activation=True),
}
