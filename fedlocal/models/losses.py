"""Loss functions: a mean over the rows of a batch, and its gradient."""

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

    Attributes
    ----------
    value_and_gradient : callable
        ``value_and_gradient(outputs, y, delta)`` returns the mean loss and writes its gradient into
        ``delta``, float32[n, outputs]; y is int64[n] (class codes) or float32[n, outputs].
    before_activation : bool
        Whether that gradient is already the one with respect to what enters the output's activation.
    """

    value_and_gradient: Callable[[Array, Array, Array], float]
    before_activation: bool


def _mean_squared_error(outputs: Array, y: Array, delta: Array) -> float:
    """Mean of (output - target)^2 over the rows and the outputs; class codes stand for one-hot targets."""
    if y.ndim == 1:
        np.copyto(delta, outputs)
        delta[np.arange(len(y)), y] -= 1
    else:
        np.subtract(outputs, y, out=delta)
    loss = float(np.vdot(delta, delta)) / delta.size
    np.multiply(delta, 2 / delta.size, out=delta)
    return loss


def _cross_entropy(outputs: Array, y: Array, delta: Array) -> float:
    """Mean of -log(probability of the true class), for probabilities that come from a softmax.

    Its gradient before the softmax is (probabilities - one-hot) / n. A probability that underflowed counts as
    the smallest normal number, so that one row adds 87.3 at most.
    """
    rows = np.arange(len(y))
    likelihood = outputs[rows, y]
    np.copyto(delta, outputs)
    delta[rows, y] = likelihood - 1
    np.multiply(delta, 1 / len(y), out=delta)
    return -float(np.log(np.maximum(likelihood, _SMALLEST)).sum()) / len(y)


LOSSES = {
    "mean_squared_error": Loss(_mean_squared_error, before_activation=False),
    "cross_entropy": Loss(_cross_entropy, before_activation=True),
}
