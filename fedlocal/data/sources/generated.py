"""Data made on the spot, for timing and for trying things out."""

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import Dataset, Rows
from fedlocal.data.errors import DataError

Task = Literal["classification", "regression"]

CHUNK = 1 << 16  # numbers handled at once: what is gathered stays in the cache


def synthetic(
    *,
    rng: np.random.Generator,
    train: int = 60000,
    test: int = 10000,
    shape: list[int] | None = None,
    task: Task = "classification",
    classes: int = 10,
    targets: int = 1,
    separation: float = 6.0,
    noise: float = 0.1,
    groups: int = 0,
) -> Dataset:
    """Make a learnable data set, of the size and shape of MNIST by default.

    Classification: each class has a mean, each example is its mean plus standard normal noise. Regression:
    each target is a linear function of standard normal features plus noise.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of everything.
    train, test : int
        Number of rows.
    shape : list of int or None
        Shape of one example; None: 28 x 28.
    task : {"classification", "regression"}
        Kind of target.
    classes : int
        Number of classes, at least 2.
    targets : int
        Number of real-valued targets.
    separation : float
        Expected distance of two class means, in deviations of the noise.
    noise : float
        Deviation of the noise on a real-valued target, whose signal has deviation 1.
    groups : int
        Number of natural groups of (almost) equal size, drawn at random; 0: none.

    Returns
    -------
    Dataset
        Features are not scaled: they have mean 0 and deviation 1 already, or slightly more.
    """
    sides = tuple(shape) if shape is not None else (28, 28)
    if task not in ("classification", "regression"):
        raise DataError(f"synthetic: task={task!r}, expected classification or regression")
    _check(train, test, sides, classes if task == "classification" else 2, targets, groups)
    x = rng.standard_normal((train + test, math.prod(sides)), np.float32)
    y: NDArray[Any]
    if task == "classification":
        y = rng.permutation(np.arange(train + test) % classes)
        _add_means(x, y, separation, rng)
    else:
        y = _linear(x, targets, noise, rng)
    return Dataset(
        "synthetic",
        Rows(x[:train], y[:train]),
        Rows(x[train:], y[train:]),
        np.arange(classes) if task == "classification" else None,
        sides,
        rng.permutation(np.arange(train) % groups) if groups else None,
    )


def _check(train: int, test: int, sides: tuple[int, ...], classes: int, targets: int, groups: int) -> None:
    if min(train, test, *sides, targets) < 1 or not sides:
        raise DataError(
            f"synthetic: train={train}, test={test}, shape={list(sides)}, targets={targets} must be >= 1"
        )
    if not 2 <= classes <= train:
        raise DataError(f"synthetic: classes={classes}, expected 2..{train}, the number of training rows")
    if not 0 <= groups <= train:
        raise DataError(f"synthetic: groups={groups}, expected 0..{train}, the number of training rows")


def _add_means(
    x: NDArray[np.float32], y: NDArray[np.int64], separation: float, rng: np.random.Generator
) -> None:
    means = rng.standard_normal((int(y.max()) + 1, x.shape[1]), np.float32)
    means *= np.float32(separation / math.sqrt(2 * x.shape[1]))
    height = max(1, CHUNK // x.shape[1])
    for start in range(0, len(x), height):
        x[start : start + height] += means[y[start : start + height]]


def _linear(
    x: NDArray[np.float32], targets: int, noise: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    weights = rng.standard_normal((x.shape[1], targets), np.float32)
    weights /= np.float32(math.sqrt(x.shape[1]))
    y: NDArray[np.float32] = np.einsum(
        "nd,dt->nt", x, weights
    )  # not BLAS: the same bits with any number of threads
    y += np.float32(noise) * rng.standard_normal(y.shape, np.float32)
    return y
