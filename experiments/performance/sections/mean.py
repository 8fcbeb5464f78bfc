"""The weighted mean of 100 replies against the time to read them once from memory."""

import random
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from experiments.performance.apps import model
from experiments.performance.arms import Call, alternate, ratios
from experiments.performance.federation import PAPER, session, size_of
from experiments.performance.rows import Row, row_of
from experiments.performance.sections import Options
from fedlocal.flower.server.mean import weighted_mean

REPLIES = 100


def measure(options: Options) -> Iterator[Row]:
    """Yield the mean's time, and its ratio to that of one product of each reply with itself."""
    block = np.random.default_rng(options.seed).random((REPLIES, PAPER), np.float32)
    replies = [_as_layers(row) for row in block]
    weights = [float(1 + index % 7) for index in range(REPLIES)]

    def mean() -> float:
        started = time.perf_counter()
        weighted_mean(replies, weights)
        return time.perf_counter() - started

    def read() -> float:
        started = time.perf_counter()
        for row in block:
            np.dot(row, row)
        return time.perf_counter() - started

    with session():
        turns = 10 if options.quick else 40
        figures = alternate([Call("mean", mean), Call("read", read)], turns, random.Random(options.seed))
    setting = f"{REPLIES} replies of {size_of(PAPER)}"
    yield row_of("mean", setting, "mean / one read", ratios(figures, "mean", "read"), "x", at_most=1.5)
    yield row_of("mean", setting, "mean", [1000 * turn for turn in figures["mean"]], "ms")


def _as_layers(row: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Cut a reply, float32[PAPER], into views with the sizes of the model's arrays."""
    arrays = model().arrays
    ends = np.cumsum([array.size for array in arrays.values()])
    return dict(zip(arrays, np.split(row, ends[:-1]), strict=True))
