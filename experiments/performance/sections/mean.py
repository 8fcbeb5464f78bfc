"""The weighted mean of 100 replies against the time to read them once from memory."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from experiments.performance.apps import model
from experiments.performance.federation import PAPER, session, size_of
from experiments.rows import Row
from experiments.runner import Options
from experiments.turns import over_first
from fedlocal.flower.server.mean import weighted_mean

REPLIES = 100


def measure(options: Options) -> Iterator[Row]:
    """Yield the time to read the replies, and the mean's ratio to it."""
    block = np.random.default_rng(0).random((REPLIES, PAPER), np.float32)
    replies = [_as_layers(row) for row in block]
    weights = [float(1 + index % 7) for index in range(REPLIES)]
    calls = {
        "one read": lambda: [np.dot(row, row) for row in block],  # a product of each with itself
        "mean": lambda: weighted_mean(replies, weights),
    }
    turns, setting = 10 if options.quick else 40, f"{REPLIES} replies of {size_of(PAPER)}"
    with session():
        yield from over_first("mean", setting, calls, turns, _milliseconds, at_most={"mean": 1.5})


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.1f} ms"


def _as_layers(row: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Cut a reply, float32[PAPER], into views with the sizes of the model's arrays."""
    arrays = model().arrays
    ends = np.cumsum([array.size for array in arrays.values()])
    return dict(zip(arrays, np.split(row, ends[:-1]), strict=True))
