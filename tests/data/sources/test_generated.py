"""Data that need no file: scikit-learn's digits and synthetic ones."""

from typing import Any

import numpy as np
import pytest

from fedlocal.data import DataError
from fedlocal.datasets import digits, synthetic


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_digits_are_complete_and_stratified() -> None:
    dataset = digits(rng=rng())
    assert (dataset.shape, dataset.inputs, dataset.outputs) == ((8, 8), 64, 10)
    assert (len(dataset.train), len(dataset.test)) == (1438, 359)
    assert (dataset.train.x.min(), dataset.train.x.max()) == (0, 1)
    shares = np.bincount(dataset.test.y) / (np.bincount(dataset.train.y) + np.bincount(dataset.test.y))
    assert np.abs(shares - 0.2).max() < 0.005


def test_digits_are_divided_by_the_seed() -> None:
    assert np.array_equal(digits(rng=rng(1)).test.x, digits(rng=rng(1)).test.x)
    assert not np.array_equal(digits(rng=rng(1)).test.x, digits(rng=rng(2)).test.x)
    assert len(digits(rng=rng(), test_fraction=0.5).test) == pytest.approx(898, abs=10)


def test_synthetic_data_have_the_shape_of_mnist() -> None:
    dataset = synthetic(rng=rng(), train=600, test=100)
    assert (dataset.shape, dataset.inputs, dataset.outputs, dataset.groups) == ((28, 28), 784, 10, None)
    assert (len(dataset.train), len(dataset.test)) == (600, 100)
    assert dataset.train.x.std() == pytest.approx(1, abs=0.1)


def test_synthetic_data_are_seeded() -> None:
    first, again, other = (synthetic(rng=rng(seed), train=50, test=5) for seed in (3, 3, 4))
    assert np.array_equal(first.train.x, again.train.x)
    assert not np.array_equal(first.train.x, other.train.x)


@pytest.mark.parametrize(("separation", "low", "high"), [(0.0, 0.0, 0.2), (6.0, 0.9, 1.0)])
def test_synthetic_classes_are_as_far_apart_as_asked(separation: float, low: float, high: float) -> None:
    dataset = synthetic(rng=rng(), train=5000, test=1000, shape=[50], separation=separation)
    means = np.array([dataset.train.x[dataset.train.y == code].mean(axis=0) for code in range(10)])
    distances = np.square(dataset.test.x[:, None] - means).sum(axis=2)
    accuracy = np.mean(distances.argmin(axis=1) == dataset.test.y)
    assert low <= accuracy <= high


def test_synthetic_targets_are_linear_but_for_the_noise() -> None:
    dataset = synthetic(rng=rng(), train=2000, test=500, shape=[20], task="regression", targets=2, noise=0.1)
    weights, *_ = np.linalg.lstsq(dataset.train.x, dataset.train.y, rcond=None)
    left = dataset.test.y - dataset.test.x @ weights
    assert dataset.classes is None
    assert left.std() == pytest.approx(0.1, rel=0.1)
    assert dataset.train.y.std() == pytest.approx(1, rel=0.3)


def test_synthetic_groups_are_of_almost_equal_size() -> None:
    groups = synthetic(rng=rng(), train=100, test=10, groups=7).groups
    assert groups is not None
    assert sorted(np.bincount(groups)) == [14] * 5 + [15] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": 0}, "train=0"),
        ({"test": 0}, "test=0"),
        ({"shape": []}, r"shape=\[\]"),
        ({"shape": [3, 0]}, r"shape=\[3, 0\]"),
        ({"targets": 0}, "targets=0"),
        ({"classes": 1}, r"classes=1, expected 2\.\.60000"),
        ({"groups": -1}, "groups=-1"),
        ({"task": "ranking"}, "task='ranking'"),
    ],
)
def test_impossible_options_are_refused(options: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        synthetic(rng=rng(), **options)
