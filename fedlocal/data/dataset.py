"""A loaded data set: float32 features, class codes or real targets, a held-out test set."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import DataError
from fedlocal.data.features import Column, FeatureScaling
from fedlocal.data.partition.base import Traits


@dataclass(frozen=True, eq=False)
class Rows:
    """A set of examples.

    Parameters
    ----------
    x : ndarray of float32, shape (n, d)
        Flattened features, C-contiguous.
    y : ndarray, int64 of shape (n,) or float32 of shape (n, t)
        Class codes 0..k-1, or real-valued targets.

    Raises
    ------
    DataError
        If a dtype, a number of dimensions or a length is not as above.
    """

    x: NDArray[np.float32]
    y: NDArray[Any]

    def __post_init__(self) -> None:
        if self.x.dtype != np.float32 or self.x.ndim != 2 or not self.x.flags.c_contiguous:
            raise DataError(f"x must be a C-contiguous float32 array [n, d], got {_kind(self.x)}")
        codes = self.y.dtype == np.int64 and self.y.ndim == 1
        targets = self.y.dtype == np.float32 and self.y.ndim == 2
        if not (codes or targets):
            raise DataError(f"y must be int64 codes [n] or float32 targets [n, t], got {_kind(self.y)}")
        if len(self.x) != len(self.y):
            raise DataError(f"x has {len(self.x)} rows but y has {len(self.y)}")

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training set, a held-out test set, and what their numbers mean.

    Parameters
    ----------
    name : str
        What the data set is called in tables and figures.
    train, test : Rows
        Of equal width; neither is empty.
    classes : ndarray of shape (k,) or None
        Original labels, index = class code; None for real-valued targets.
    shape : tuple of int
        Shape of one example before it was flattened: (28, 28) for an image, (64,) for a row of a table.
    groups : ndarray of shape (n_train,) or None
        Natural group id (a person, a device) of each training row.
    scaling : FeatureScaling or None
        What made the rows of raw features; None: they are as they were found.
    columns : tuple of Column
        Of the raw table, in the order of its features; empty where they have no names.
    target_scaling : FeatureScaling or None
        What made real-valued targets of those in original units; None: they are as they were found.

    Raises
    ------
    DataError
        If the parts do not fit together or a number is not finite; the message names the place.
    """

    name: str
    train: Rows
    test: Rows
    classes: NDArray[Any] | None
    shape: tuple[int, ...]
    groups: NDArray[Any] | None = None
    scaling: FeatureScaling | None = None
    columns: tuple[Column, ...] = ()
    target_scaling: FeatureScaling | None = None

    def __post_init__(self) -> None:
        for part, rows in (("train", self.train), ("test", self.test)):
            self._check_rows(part, rows)
        if self.groups is not None and self.groups.shape != (len(self.train),):
            raise DataError(
                f"{self.name}: groups has shape {self.groups.shape}, expected ({len(self.train)},)"
            )
        if self.columns and sum(column.width for column in self.columns) != self.inputs:
            raise DataError(f"{self.name}: {len(self.columns)} named columns, {self.inputs} features")
        if self.classes is not None and len(np.unique(self.train.y)) < 2:
            raise DataError(
                f"{self.name}: the training set has fewer than 2 classes: {self.classes.tolist()}"
            )

    def _check_rows(self, part: str, rows: Rows) -> None:
        where = f"{self.name}, {part} set"
        if len(rows) == 0:
            raise DataError(f"{where}: no rows")
        if rows.x.shape[1] != math.prod(self.shape):
            raise DataError(f"{where}: {rows.x.shape[1]} features do not fill the shape {self.shape}")
        check_finite(rows.x, f"{where}, features")
        if self.classes is None:
            if rows.y.ndim != 2 or rows.y.shape[1] != self.outputs:
                raise DataError(
                    f"{where}: real targets must be float32 [n, {self.outputs}], got {_kind(rows.y)}"
                )
            check_finite(rows.y, f"{where}, targets")
        elif rows.y.ndim != 1 or rows.y.min() < 0 or rows.y.max() >= len(self.classes):
            raise DataError(f"{where}: class codes must be int64 [n] in 0..{len(self.classes) - 1}")

    @property
    def inputs(self) -> int:
        """Number of features of one example."""
        return int(self.train.x.shape[1])

    @property
    def outputs(self) -> int:
        """Number of classes, or of real-valued targets."""
        return int(self.train.y.shape[1]) if self.classes is None else len(self.classes)

    def rmse(self, outputs: NDArray[Any]) -> float:
        """Return the root of the mean squared error of outputs for the test rows, in the targets' units."""
        factor = self.target_scaling.factor if self.target_scaling else 1.0
        errors = (outputs.astype(np.float64) - self.test.y) * factor
        return math.sqrt(float(np.square(errors).mean()))


def traits(dataset: Dataset) -> Traits:
    """Return what a partition strategy may know of the training rows: labels and groups, never features.

    Of several real-valued targets, the first one stands for the row.
    """
    labels = dataset.train.y if dataset.classes is not None else dataset.train.y[:, 0]
    return Traits(labels=labels, classes=dataset.classes, groups=dataset.groups)


def check_finite(values: NDArray[Any], where: str) -> None:
    """Refuse NaN and infinity among floating-point numbers of any shape.

    Raises
    ------
    DataError
        Beginning with `where`, naming the first bad value, its index and how many there are.
    """
    if values.size == 0 or (np.isfinite(values.min()) and np.isfinite(values.max())):
        return  # min and max pass NaN on, and need no array of flags as large as the data
    bad = np.argwhere(~np.isfinite(values))
    index = tuple(int(i) for i in bad[0])
    raise DataError(
        f"{where}: {values[index]} at index {list(index)} ({len(bad)} such values); "
        "remove or fill them in before loading"
    )


def _kind(array: NDArray[Any]) -> str:
    return f"{array.dtype} {list(array.shape)}"
