"""Missing values in a table's features are filled in, by the training rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import DataError
from fedlocal.data.features import Column

Impute = Literal["mean", "median"]


def with_fills(name: str, columns: Sequence[Column], train: NDArray[Any], how: Impute) -> tuple[Column, ...]:
    """Describe what stands for missing values: the mean or median of numbers, the most frequent text.

    `train`, float64[n, d], are the training rows' features, in which NaN is missing.

    Raises
    ------
    DataError
        Beginning with `name`, if a column has no value at all.
    """
    if how not in ("mean", "median"):
        raise DataError(f"{name}: impute={how!r}, expected mean, median or null")
    parts = np.split(train, np.cumsum([column.width for column in columns])[:-1], axis=1)
    return tuple(
        replace(column, fill=_fill(name, column, part[~np.isnan(part[:, 0])], how))
        for column, part in zip(columns, parts, strict=True)
    )


def fill_missing(columns: Sequence[Column], rows: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of rows, in whose columns nothing is missing."""
    whole, start = rows.copy(), 0
    for column in columns:
        part = whole[:, start : start + column.width]
        part[np.isnan(part[:, 0])] = column.features(np.array([column.fill], np.float64))[0]
        start += column.width
    return whole


def _fill(name: str, column: Column, present: NDArray[Any], how: Impute) -> float:
    if not len(present):
        raise DataError(f"{name}: column {column.name} has no value in any training row; leave it out")
    if column.categories is None:
        return float(np.median(present) if how == "median" else present.mean())
    codes = present.argmax(axis=1) if column.onehot else present[:, 0].astype(np.int64)
    return float(np.bincount(codes).argmax())
