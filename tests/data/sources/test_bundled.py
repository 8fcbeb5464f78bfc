"""The data sets that come with scikit-learn."""

import numpy as np
import pytest

from fedlocal.data.sources import bundled
from fedlocal.datasets import digits


def test_the_digits_read_from_the_file_are_those_of_scikit_learn() -> None:
    read = bundled._digits_from_file()
    assert read
    for ours, theirs in zip(read, bundled._digits_from_sklearn(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_without_the_file_scikit_learn_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    first = digits(rng=np.random.default_rng(0))
    monkeypatch.setattr(bundled, "_digits_from_file", lambda: None)
    second = digits(rng=np.random.default_rng(0))
    np.testing.assert_array_equal(first.train.x, second.train.x)
    np.testing.assert_array_equal(first.test.y, second.test.y)


def test_the_digits_are_scaled_stratified_and_complete() -> None:
    data = digits(rng=np.random.default_rng(0))
    assert (len(data.train), len(data.test), data.shape) == (1438, 359, (8, 8))
    assert data.train.x.dtype == np.float32
    assert (data.train.x.min(), data.train.x.max()) == (0.0, 1.0)
    assert set(np.bincount(data.test.y)) <= set(range(34, 38))  # of 174 to 183 in each class
