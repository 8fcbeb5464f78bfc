from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
import scipy.linalg.blas  # noqa: F401  (its BLAS must be loaded before threads are limited)
import sklearn.datasets
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits


class Digits(NamedTuple):
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def digits() -> Digits:
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype(np.float32), y[order].astype(np.int64)
    return Digits(x[:1437], y[:1437], x[1437:], y[1437:])
