"""A training step of the NumPy MLP against the eight matrix products that it cannot do without."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy.linalg.blas import sgemm

from experiments.rows import Row
from experiments.runner import Options
from experiments.turns import over_first
from fedlocal.actors import one_thread
from fedlocal.models import MLP, train

WIDTHS = [784, 512, 256, 10]
SAMPLES = 2048  # a turn passes over as many rows, whatever the batch size
RATE = 1e-4  # too small to learn by, so that all turns do the same work
LIMIT = "products"

Pass = Callable[[], object]


def measure(options: Options) -> Iterator[Row]:
    """Yield the ratios to the products at each batch size."""
    for batch in (32, 64) if options.quick else (16, 32, 64, 128, 256, 512):
        turns = options.trials or (5 if options.quick else 50)
        with one_thread():
            yield from over_first(LIMIT, f"batch {batch}", arms(batch), turns, partial(note, batch))


def note(batch: int, seconds: float) -> str:
    """Return the time of a step, and its operations: every layer forward and its update, but one backward."""
    sizes = [inputs * outputs for inputs, outputs in itertools.pairwise(WIDTHS)]
    step = seconds * batch / SAMPLES
    return f"{1e6 * step:.0f} µs, {2e-9 * batch * (3 * sum(sizes) - sizes[0]) / step:.0f} GFLOP/s"


def products(batch: int, rng: np.random.Generator) -> Pass:
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


def arms(batch: int) -> dict[str, Pass]:
    """Return what is compared, each a pass over ``SAMPLES`` rows; the products are the first."""
    rng = np.random.default_rng(batch)
    x, y = rng.random((SAMPLES, WIDTHS[0]), np.float32), rng.integers(WIDTHS[-1], size=SAMPLES)
    build = partial(MLP, WIDTHS[1:-1], learning_rate=RATE)
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
        LIMIT: products(batch, rng),
        "train_step": partial(steps, plain),
        "train_step, squared error": partial(steps, paper),
        "train (with the gather)": partial(train, whole, x, y, batch_size=batch, epochs=1, rng=rng),
        "train_step, momentum": partial(steps, momentum),
        "gradient + apply": split_steps,
    }
