"""Features on a common scale, as float32."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import DataError
from fedlocal.data.features import FeatureScaling, chunks

Scale = Literal["unit", "standard", "none"]

ROUNDING = 4 * np.finfo(np.float64).eps
"""Relative differences up to this are no differences: they come from how a constant was computed."""


def fit_scaling(train: NDArray[Any], scale: Scale, white: float = 1.0) -> FeatureScaling:
    """Return the scaling of features, or real-valued targets, to flat float32, by the training rows alone.

    Parameters
    ----------
    train : ndarray of numbers, shape (n, ...)
        The training rows.
    scale : {"unit", "standard", "none"}
        "standard": each column less its mean, divided by its deviation; a constant column becomes 0.
        "unit": divided by `white`; if that is 0, each column is brought from its extremes to [0, 1].

    Raises
    ------
    DataError
        Naming the column, if numbers are so large that they have no deviation, or do not fit into float32.
    """
    table = train.reshape(len(train), -1)
    shift, factor = np.zeros(1), np.ones(1)
    if scale == "unit" and white:
        factor = np.full(1, float(white))
    elif scale in ("standard", "unit"):
        low, high = table.min(axis=0).astype(np.float64), table.max(axis=0).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            mean, deviation = _moments(table) if scale == "standard" else (low, high - low)
            constant = high - low <= ROUNDING * np.maximum(np.abs(low), np.abs(high))
        shift, factor = np.where(constant, low, mean), np.where(constant, 1.0, deviation)
    elif scale != "none":
        raise DataError(f"scale={scale!r}, expected one of standard, unit, none")
    if not (np.isfinite(shift).all() and np.isfinite(factor).all()):
        column = int(np.argmin(np.isfinite(shift) & np.isfinite(factor)))
        raise DataError(f"column {column}: {high[column]:.3g} is too large to be scaled; divide it first")
    return FeatureScaling(shift, factor)


def apply_scaling(rows: NDArray[Any], scaling: FeatureScaling, where: str) -> NDArray[np.float32]:
    """Return scaled rows.

    Raises
    ------
    DataError
        If a number does not fit into float32; the message says where it is.
    """
    with np.errstate(over="ignore"):
        numbers = scaling(rows)
    if not np.isfinite(numbers.min()) or not np.isfinite(numbers.max()):
        row, column = (int(at) for at in np.argwhere(~np.isfinite(numbers))[0])
        raw = rows.reshape(len(rows), -1)[row, column]
        raise DataError(f"{where}: {raw:.3g} in row {row}, column {column}, is too large for float32")
    return numbers


def _moments(table: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = table.mean(axis=0, dtype=np.float64)
    squares = np.zeros_like(mean)
    for rows in chunks(table):
        squares += np.square(rows - mean).sum(axis=0)
    return mean, np.sqrt(squares / len(table))
