"""Ways to do one piece of a training step, in microseconds: what was taken, with a star, and what was not."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.linalg.blas import sgemm

from experiments.rows import Row, row_of
from experiments.runner import Options
from experiments.turns import alternate, timed
from fedlocal.actors import one_thread

BATCHES = [32, 64, 256]
INPUTS, OUTPUTS, CLASSES = 784, 512, 10

Pieces = dict[str, Callable[[], object]]


def measure(options: Options) -> Iterator[Row]:
    """Yield the time of a call of each way at each batch size."""
    for batch in BATCHES:
        ways = pieces(batch, np.random.default_rng(batch))
        with one_thread():
            turns = options.trials or (20 if options.quick else 600)
            figures = alternate([timed(name, way) for name, way in ways.items()], turns)
        for name, seconds in figures.items():
            piece, _, way = name.partition(": ")
            microseconds = [1e6 * turn for turn in seconds]
            yield row_of("alternatives", f"{piece}, batch {batch}", way, microseconds, "µs")


def pieces(batch: int, rng: np.random.Generator) -> Pieces:
    """Return the alternatives by name, ``piece: way``; those taken are marked with a star."""
    x, w = rng.random((batch, INPUTS), np.float32), rng.standard_normal((INPUTS, OUTPUTS), np.float32)
    with_ones, with_bias = (
        np.ones((batch, INPUTS + 1), np.float32),
        np.ones((INPUTS + 1, OUTPUTS), np.float32),
    )
    z, bias, ones = np.zeros((batch, OUTPUTS), np.float32), w[0].copy(), np.ones(batch, np.float32)
    rows, zeros = np.ones((batch, OUTPUTS + 1), np.float32), np.zeros((batch, OUTPUTS + 1), np.float32)
    a, mask = rows[:, :-1], np.empty((batch, OUTPUTS), bool)
    delta, change = rng.standard_normal((batch, OUTPUTS), np.float32) * 1e-9, np.empty_like(w)
    logits = rng.standard_normal((batch, CLASSES), np.float32)
    soft = np.empty_like(logits)

    def bias_apart() -> None:
        np.matmul(x, w, out=z)
        np.add(z, bias, out=z)
        np.matmul(ones, delta, out=bias)

    def bias_in_the_matrix() -> None:
        np.copyto(with_ones[:, :-1], x)
        np.matmul(with_ones, with_bias, out=a)

    def derivative(into: np.ndarray) -> None:
        np.greater(a, 0, out=into)
        np.multiply(delta, into, out=delta)

    def update_apart() -> None:
        np.matmul(x.T, delta, out=change)
        np.multiply(change, 0.1, out=change)
        np.subtract(w, change, out=w)

    def softmax(values: np.ndarray, out: np.ndarray, axis: int) -> None:
        exp = np.exp(values - values.max(axis=axis, keepdims=True))
        np.divide(exp, exp.sum(axis=axis, keepdims=True), out=out)

    return {
        "forward: sgemm of SciPy": lambda: sgemm(1.0, w.T, x.T, 0.0, z.T, overwrite_c=1),
        "forward: np.matmul *": lambda: np.matmul(x, w, out=z),
        "bias: added, its gradient apart": bias_apart,
        "bias: last row of the matrix *": bias_in_the_matrix,
        "ReLU: all but the last column": lambda: np.maximum(a, 0, out=a),
        "ReLU: against an array of zeros": lambda: np.maximum(rows, zeros, out=rows),
        "ReLU: whole rows against 0 *": lambda: np.maximum(rows, 0, out=rows),
        "ReLU': mask of booleans": lambda: derivative(mask),
        "ReLU': mask of floats, in place *": lambda: derivative(a),
        "update: gradient, then W -= lr G": update_apart,
        "update: fused into sgemm *": lambda: sgemm(-0.1, delta.T, x.T, 1.0, w.T, trans_b=1, overwrite_c=1),
        "softmax: by rows": lambda: softmax(logits, soft, 1),
        "softmax: over the transpose *": lambda: softmax(logits.T.copy(), soft.T, 0),
    }
