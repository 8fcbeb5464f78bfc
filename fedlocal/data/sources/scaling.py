"""Features on a common scale, as float32."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import DataError
from fedlocal.data.features import Scaling, chunks

Scale = Literal["unit", "standard", "none"]


def scaling(train: NDArray[Any], scale: Scale, white: float = 1.0) -> Scaling:
    """Return what turns features into scaled, flattened float32.

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
        factor = np.full(1, float(white))
    elif scale in ("standard", "unit"):
        low, high = table.min(axis=0).astype(np.float64), table.max(axis=0).astype(np.float64)
        mean, deviation = _moments(table) if scale == "standard" else (low, high - low)
        constant = high == low
        shift, factor = np.where(constant, low, mean), np.where(constant, 1.0, deviation)
    elif scale != "none":
        raise DataError(f"scale={scale!r}, expected one of standard, unit, none")
    return Scaling(shift, factor)


def _moments(table: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = table.mean(axis=0, dtype=np.float64)
    squares = np.zeros_like(mean)
    for rows in chunks(table):
        squares += np.square(rows - mean).sum(axis=0)
    return mean, np.sqrt(squares / len(table))
