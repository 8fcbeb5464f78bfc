"""A training step against the eight matrix products that it cannot do without, on one thread.

The arms are those of the study in ``experiments/training_step``, which says more about them.
"""

import random
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from experiments.performance.arms import Call, alternate, ratios
from experiments.performance.rows import Row, row_of
from experiments.performance.sections import Options
from experiments.training_step.__main__ import arms
from fedlocal.actors import one_thread

LIMIT = "products"
COMPARED = ("train_step", "train (with the gather)")


def measure(options: Options) -> Iterator[Row]:
    """Yield the ratio to the products at each batch size."""
    for batch in (32, 64, 128, 256):
        passes = arms(batch, np.random.default_rng(batch))
        calls = [Call(name, partial(_seconds, passes[name])) for name in (LIMIT, *COMPARED)]
        with one_thread():
            figures = alternate(calls, 10 if options.quick else 40, random.Random(options.seed))
        for name in COMPARED:
            bound = 1.15 if name == "train_step" else None
            turns = ratios(figures, name, LIMIT)
            yield row_of("step", f"batch {batch}", f"{name} / {LIMIT}", turns, "x", at_most=bound)


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
