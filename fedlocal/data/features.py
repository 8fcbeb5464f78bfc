"""The columns and the scaling that turn raw features into the numbers a model sees, in training and later."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING = frozenset({"", "?", "NA", "N/A", "NaN", "nan", "null"})
"""Texts that stand for a missing value in a table."""


def is_number(cell: str) -> bool:
    """Tell whether a cell of a table of text is a number, finite or not."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


CHUNK = 1 << 14  # numbers handled at once: what is float64 in between stays in the cache


@dataclass(frozen=True, eq=False)
class FeatureScaling:
    """Features on a common scale: ``(x - shift) / factor``.

    Parameters
    ----------
    shift, factor : ndarray of float64, shape (1,) or (d,)
        One for all features, or one for each.
    """

    shift: NDArray[np.float64]
    factor: NDArray[np.float64]

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Return rows of raw features, (n, ...) with n > 0, as scaled, flattened float32; each by itself."""
        table = x.reshape(len(x), -1)
        out = np.empty(table.shape, np.float32)
        for rows, into in zip(chunks(table), chunks(out), strict=True):
            into[...] = (rows - self.shift) / self.factor
        return out

    def inverse(self, scaled: NDArray[Any]) -> NDArray[np.float64]:
        """Return scaled rows, (n, d), in their original units."""
        raw: NDArray[np.float64] = scaled * self.factor + self.shift
        return raw


def chunks(table: NDArray[Any]) -> list[NDArray[Any]]:
    """Cut a table into views of so many rows that they stay in the cache."""
    height = max(1, CHUNK // table.shape[1])
    return [table[start : start + height] for start in range(0, len(table), height)]


@dataclass(frozen=True)
class Column:
    """A column of a table, named as its header has it.

    Parameters
    ----------
    categories : tuple of str or None
        Of a nominal column: its values, in the order of their codes. None: it holds numbers.
    onehot : bool
        Whether a nominal column makes one feature for each category, or one that is the code.
    fill : float or None
        The number, or the code, that stands for a missing value; None: none may be missing.
    """

    name: str
    categories: tuple[str, ...] | None = None
    onehot: bool = True
    fill: float | None = None

    @property
    def width(self) -> int:
        """Number of features that it makes."""
        return len(self.categories) if self.categories is not None and self.onehot else 1

    def features(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn numbers, or the codes of categories, into features: (n,) to (n, width); NaN stays NaN."""
        column = values[:, None]
        if self.categories is None or not self.onehot:
            return column
        codes: NDArray[np.float64] = np.arange(len(self.categories), dtype=np.float64)
        return np.where(np.isnan(column), np.nan, np.equal(column, codes))
