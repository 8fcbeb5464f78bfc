"""Features on a common scale, as float32."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import DataError

Scale = Literal["unit", "standard", "none"]
Scaling = Callable[[NDArray[Any]], NDArray[np.float32]]

CHUNK = 1 << 14  # numbers handled at once: what is float64 in between stays in the cache


def scaling(train: NDArray[Any], scale: Scale, white: float = 1.0) -> Scaling:
    """Return the function that turns features into scaled, flattened float32.

    Parameters
    ----------
    train : ndarray of numbers, shape (n, ...)
        The training rows, from which alone the scale is taken.
    scale : {"unit", "standard", "none"}
        "standard": each column less its mean, divided by its deviation; a constant column becomes 0.
        "unit": divided by `white`; if that is 0, each column is brought from its extremes to [0, 1].
        "none": as it is.
    white : float
        The value that "unit" maps to 1.
    """
    table = train.reshape(len(train), -1)
    shift, factor = np.zeros(1), np.ones(1)
    if scale == "unit" and white:
        factor = np.full(1, white)
    elif scale in ("standard", "unit"):
        low, high = table.min(axis=0).astype(np.float64), table.max(axis=0).astype(np.float64)
        mean, deviation = _moments(table) if scale == "standard" else (low, high - low)
        constant = high == low
        shift, factor = np.where(constant, low, mean), np.where(constant, 1.0, deviation)
    elif scale != "none":
        raise DataError(f"scale={scale!r}, expected one of standard, unit, none")
    return lambda x: _scaled(x.reshape(len(x), -1), shift, factor)


def _moments(table: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = table.mean(axis=0, dtype=np.float64)
    squares = np.zeros_like(mean)
    for rows in _chunks(table):
        squares += np.square(rows - mean).sum(axis=0)
    return mean, np.sqrt(squares / len(table))


def _scaled(
    table: NDArray[Any], shift: NDArray[np.float64], factor: NDArray[np.float64]
) -> NDArray[np.float32]:
    out = np.empty(table.shape, np.float32)
    for rows, into in zip(_chunks(table), _chunks(out), strict=True):
        into[...] = (rows - shift) / factor
    return out


def _chunks(table: NDArray[Any]) -> list[NDArray[Any]]:
    height = max(1, CHUNK // table.shape[1])
    return [table[start : start + height] for start in range(0, len(table), height)]
