"""Measure a training step of the NumPy MLP against the eight matrix products that it cannot do without.

``python -m experiments.training_step`` prints a table and writes ``result.csv`` beside this file.
"""

import argparse
import csv
import itertools
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.linalg.blas import sgemm
from threadpoolctl import threadpool_info, threadpool_limits

from fedlocal.models import MLP, train

WIDTHS = [784, 512, 256, 10]
BATCHES = [16, 32, 64, 128, 256, 512]
SAMPLES = 2048  # one repeat of an arm passes over as many, whatever the batch size
FIELDS = ["batch", "arm", "step_us", "gflop_per_s", "ratio", "ratio_q25", "ratio_q75", "ratio_of_minima"]

Arm = Callable[[], object]


def flop(batch: int) -> float:
    """Return the operations of a step: every layer forward and its update, all but the first backward."""
    sizes = [inputs * outputs for inputs, outputs in itertools.pairwise(WIDTHS)]
    return 2.0 * batch * (3 * sum(sizes) - sizes[0])


def products(batch: int, rng: np.random.Generator) -> Arm:
    """Return the limit: three products forward, two back, and three that update the weights in place."""
    weights = [rng.standard_normal(shape, np.float32) for shape in itertools.pairwise(WIDTHS)]
    inputs = [rng.standard_normal((batch, width), np.float32) for width in WIDTHS]
    deltas = [rng.standard_normal((batch, width), np.float32) for width in WIDTHS[1:]]

    def run() -> None:
        for _ in range(SAMPLES // batch):
            for layer, weight in enumerate(weights):
                np.matmul(inputs[layer], weight, out=inputs[layer + 1])
            for layer in (2, 1, 0):
                if layer:
                    np.matmul(deltas[layer], weights[layer].T, out=deltas[layer - 1])
                delta, a, weight = deltas[layer].T, inputs[layer].T, weights[layer].T
                sgemm(-1e-9, delta, a, 1.0, weight, trans_b=1, overwrite_c=1)

    return run


def arms(batch: int, rng: np.random.Generator) -> dict[str, Arm]:
    """Return what is compared, each a pass over ``SAMPLES`` rows."""
    x = rng.random((SAMPLES, WIDTHS[0]), np.float32)
    y = rng.integers(WIDTHS[-1], size=SAMPLES)
    # The learning rate is too small to learn by, so that all repeats do the same work.
    build = partial(MLP, WIDTHS[1:-1], learning_rate=1e-4)
    build = partial(build, inputs=WIDTHS[0], outputs=WIDTHS[-1], classes=True, rng=rng)
    plain, paper = build(), build(output="identity", loss="mean_squared_error")
    momentum, split, whole = build(momentum=0.9), build(), build()
    gradient = np.empty(split.size, np.float32)

    def steps(model: MLP) -> None:
        for start in range(0, SAMPLES, batch):
            model.train_step(x[start : start + batch], y[start : start + batch])

    def split_steps() -> None:
        for start in range(0, SAMPLES, batch):
            split.gradient(x[start : start + batch], y[start : start + batch], gradient)
            split.apply(gradient)

    return {
        "products": products(batch, rng),
        "train_step": partial(steps, plain),
        "train_step, squared error": partial(steps, paper),
        "train (with the gather)": partial(train, whole, x, y, batch_size=batch, epochs=1, rng=rng),
        "train_step, momentum": partial(steps, momentum),
        "gradient + apply": split_steps,
    }


def measure(batch: int, repeats: int) -> dict[str, NDArray[np.float64]]:
    """Return the seconds of each repeat of each arm; the arms alternate in a new random order each time."""
    rng = np.random.default_rng(batch)
    compared = arms(batch, rng)
    seconds = {name: np.empty(repeats) for name in compared}
    for arm in compared.values():
        arm()
    for repeat in range(repeats):
        for name in rng.permutation(list(compared)):
            start = time.perf_counter()
            compared[name]()
            seconds[name][repeat] = time.perf_counter() - start
    return seconds


def summarize(batch: int, seconds: dict[str, NDArray[np.float64]]) -> list[dict[str, object]]:
    """Return one row per arm; its ratios are to the products of the same repeat."""
    limit, rows = seconds["products"], []
    for name, times in seconds.items():
        step = float(np.median(times)) * batch / SAMPLES
        quartiles = np.percentile(times / limit, [50, 25, 75])
        numbers = [step * 1e6, flop(batch) / step / 1e9, *quartiles, times.min() / limit.min()]
        rows.append(dict(zip(FIELDS, [batch, name, *(round(float(n), 3) for n in numbers)], strict=True)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}")
    with threadpool_limits(1), Path(__file__).with_name("result.csv").open("w", newline="") as file:
        for pool in threadpool_info():
            print(
                pool["internal_api"], pool["version"], pool.get("architecture"), pool["num_threads"], "thread"
            )
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for batch in options.batches:
            for row in summarize(batch, measure(batch, options.repeats)):
                writer.writerow(row)
                print(
                    "{:5} {:27} {:9.0f} us {:7.1f} GFLOP/s  x {:.3f} [{:.3f} {:.3f}] min {:.3f}".format(
                        *row.values()
                    )
                )


if __name__ == "__main__":
    main()
