"""Measure ways to do one piece of a training step, in microseconds: what was taken and what was not.

``python -m experiments.training_step.alternatives`` prints a table and writes ``alternatives.csv`` beside it.
"""

import csv
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.linalg.blas import sgemm
from threadpoolctl import threadpool_limits

BATCHES = [32, 64, 256]
INPUTS, OUTPUTS, CLASSES = 784, 512, 10

Pieces = dict[str, Callable[[], object]]


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


def medians(ways: Pieces, repeats: int = 600) -> dict[str, float]:
    """Return the median time of a call of each in microseconds; they take turns."""
    times = {name: np.empty(repeats) for name in ways}
    for repeat in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name][repeat] = time.perf_counter() - start
    return {name: round(float(np.median(times_of)) * 1e6, 1) for name, times_of in times.items()}


def main() -> None:
    with threadpool_limits(1):
        columns = [medians(pieces(batch, np.random.default_rng(batch))) for batch in BATCHES]
    with Path(__file__).with_name("alternatives.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["piece", "way", *(f"us_at_batch_{batch}" for batch in BATCHES)])
        for name in columns[0]:
            values = [column[name] for column in columns]
            writer.writerow([*name.split(": "), *values])
            print(f"{name:36}", *(f"{value:8.1f}" for value in values))


if __name__ == "__main__":
    main()
