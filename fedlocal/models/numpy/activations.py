"""Activation functions and their derivatives, all in place on float32[n, width].

A derivative is taken from the activation's own output, so that the value before it need not be kept.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[Any]


@dataclass(frozen=True)
class Activation:
    """An activation function ``f`` and its way back.

    ``forward(z)`` replaces z by f(z). ``backward(a, delta)`` replaces delta, the loss's gradient with respect
    to a = f(z), by the one with respect to z; it may use ``a`` as scratch space. ``deviation(inputs,
    outputs)`` is the standard deviation that a layer's initial weights should have.
    """

    forward: Callable[[Float], None]
    backward: Callable[[Float, Float], None]
    deviation: Callable[[int, int], float]


def _glorot(inputs: int, outputs: int) -> float:
    """Glorot and Bengio, AISTATS 2010, eq. 12: for functions that are nearly linear around 0."""
    return math.sqrt(2 / (inputs + outputs))


def _he(inputs: int, outputs: int) -> float:  # noqa: ARG001  (one signature for all)
    """He et al., arXiv:1502.01852, eq. 10: for a function that silences half of its inputs."""
    return math.sqrt(2 / inputs)


def _small(inputs: int, outputs: int) -> float:  # noqa: ARG001
    """Yang et al., arXiv:2203.03466, table 3: linear outputs start near 0 at any width.

    With Glorot's, the squared error diverges at a third of the learning rate.
    """
    return 1 / inputs


def _nothing(*_arrays: Float) -> None:
    """Leave them as they are."""


def _relu(z: Float) -> None:
    np.maximum(z, 0, out=z)


def _relu_back(a: Float, delta: Float) -> None:
    np.greater(a, 0, out=a)
    np.multiply(delta, a, out=delta)


def _tanh(z: Float) -> None:
    np.tanh(z, out=z)


def _tanh_back(a: Float, delta: Float) -> None:
    np.multiply(a, a, out=a)
    np.subtract(1, a, out=a)
    np.multiply(delta, a, out=delta)


def _sigmoid(z: Float) -> None:
    # 1 / (1 + exp(-z)) written through tanh, which cannot overflow.
    np.multiply(z, 0.5, out=z)
    np.tanh(z, out=z)
    np.multiply(z, 0.5, out=z)
    np.add(z, 0.5, out=z)


def _sigmoid_back(a: Float, delta: Float) -> None:
    np.multiply(delta, a, out=delta)
    np.subtract(1, a, out=a)
    np.multiply(delta, a, out=delta)


def _softmax(z: Float) -> None:
    columns = z.T.copy()  # few outputs: NumPy is several times faster over the rows of the transpose
    np.subtract(columns, columns.max(axis=0), out=columns)
    np.exp(columns, out=columns)
    # sum() adds columns in their order, but would pair those of a single row: a row's bits would depend on
    # whether others stand beside it.
    total = columns.sum(axis=0) if len(z) > 1 else columns.cumsum(axis=0)[-1]
    np.divide(columns, total, out=z.T)


def _softmax_back(a: Float, delta: Float) -> None:
    np.subtract(delta, np.einsum("ij,ij->i", a, delta)[:, None], out=delta)
    np.multiply(delta, a, out=delta)


HIDDEN = {
    "relu": Activation(_relu, _relu_back, _he),
    "tanh": Activation(_tanh, _tanh_back, _glorot),
    "sigmoid": Activation(_sigmoid, _sigmoid_back, _glorot),
    "identity": Activation(_nothing, _nothing, _glorot),
}

OUTPUTS = {
    "softmax": Activation(_softmax, _softmax_back, _glorot),
    "sigmoid": HIDDEN["sigmoid"],
    "identity": replace(HIDDEN["identity"], deviation=_small),
}
