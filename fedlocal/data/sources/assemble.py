"""From raw arrays to a `Dataset`: checks, class codes, the held-out rows, the scale."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import Dataset, Rows, check_finite
from fedlocal.data.errors import DataError
from fedlocal.data.features import Column, FeatureScaling
from fedlocal.data.sources.feature_scaling import Scale, apply_scaling, fit_scaling
from fedlocal.data.sources.holdout import HoldOut, hold_out, hold_out_groups
from fedlocal.data.sources.imputation import Impute, fill_missing, with_fills

Task = Literal["auto", "classification", "regression"]
TargetScale = Literal["standard", "none"]


@dataclass(frozen=True, eq=False)
class Raw:
    """Raw examples of a source.

    Parameters
    ----------
    x : ndarray of numbers, shape (n, ...)
        Features.
    y : ndarray, shape (n,), (n, 1) or (n, t)
        Labels of any type, or real-valued targets.
    groups : ndarray of shape (n,) or None
        Natural group ids.
    columns : tuple of Column
        Names of the features, if they have any.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    groups: NDArray[Any] | None = None
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class Preparation:
    """How raw examples become a data set.

    Parameters
    ----------
    task : {"auto", "classification", "regression"}
        What y means; "auto": floating-point numbers are real-valued targets, all else are class labels.
    scale : {"auto", "unit", "standard", "none"}
        How features are scaled, see `fit_scaling`; "auto": "unit" for bytes, else "standard".
    target_scale : {"standard", "none"}
        How real-valued targets are scaled, by the training rows.
    test_fraction : float
        Part of the rows held out, stratified by class, if there is no test set.
    hold_out : {"rows", "groups"}
        Whether rows are held out, or whole groups.
    impute : {"mean", "median"} or None
        What is filled in for features that are NaN, see `with_fills`; None: there may be none.
    white : float or None
        The value that "unit" makes 1; 0: each column goes to [0, 1] by the training rows. None: 255 for
        bytes, else 0.
    """

    task: Task = "auto"
    scale: Scale | Literal["auto"] = "standard"
    target_scale: TargetScale = "standard"
    test_fraction: float = 0.2
    hold_out: HoldOut = "rows"
    impute: Impute | None = None
    white: float | None = None

    def scaling(self, train: NDArray[Any], *, stored_bytes: bool) -> FeatureScaling:
        """Return the scaling of features, by the training rows."""
        automatic: Scale = "unit" if stored_bytes else "standard"
        white = self.white if self.white is not None else 255.0 if stored_bytes else 0.0
        return fit_scaling(train, automatic if self.scale == "auto" else self.scale, white)


def assemble(
    name: str,
    raw: Raw,
    test: Raw | None,
    rng: np.random.Generator,
    how: Preparation = Preparation(),
) -> Dataset:
    """Build a data set, holding out a test set where there is none.

    Parameters
    ----------
    name : str
        Begins every message.
    raw, test : Raw, Raw or None
        The training rows and the test rows, or all rows and None.
    rng : numpy.random.Generator
        Draws the test rows.
    how : Preparation
        The rest.

    Raises
    ------
    DataError
        If the arrays cannot make a data set; the message names which and why.
    """
    parts = [raw] if test is None else [raw, test]
    _check(name, parts, lacking=how.impute is not None)
    labelled = _is_labelled(name, raw.y, how.task)
    x, groups = [part.x for part in parts], raw.groups
    labels = [part.y for part in parts]
    classes, y = encode_labels(name, *labels) if labelled else (None, _targets(name, labels))
    if test is None:
        strata = y[0] if labelled else np.zeros(len(raw.y), np.int64)
        train, held = _held_out(name, groups, strata, how, rng)
        x, y = [raw.x[train], raw.x[held]], [y[0][train], y[0][held]]
        groups = None if groups is None else groups[train]
    columns = raw.columns
    if how.impute:
        columns = with_fills(name, columns, x[0], how.impute)
        x = [fill_missing(columns, part) for part in x]
    try:
        scaling = how.scaling(x[0], stored_bytes=raw.x.dtype == np.uint8)
        target_scaling = None if labelled else fit_scaling(y[0], how.target_scale)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    if target_scaling:
        y = [apply_scaling(part, target_scaling, f"{name}, targets") for part in y]
    shape = tuple(int(side) for side in raw.x.shape[1:])
    names = name, f"{name}, test set"
    scaled = [apply_scaling(part, scaling, where) for part, where in zip(x, names, strict=True)]
    rows = [Rows(features, targets) for features, targets in zip(scaled, y, strict=True)]
    return Dataset(name, rows[0], rows[1], classes, shape, groups, scaling, columns, target_scaling)


def _held_out(
    name: str,
    groups: NDArray[Any] | None,
    strata: NDArray[np.int64],
    how: Preparation,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if how.hold_out == "rows":
        return hold_out(strata, how.test_fraction, rng)
    if how.hold_out != "groups":
        raise DataError(f"{name}: hold_out={how.hold_out!r}, expected rows or groups")
    if groups is None:
        raise DataError(f"{name}: hold_out=groups needs natural groups, this data set has none")
    return hold_out_groups(groups, how.test_fraction, rng)


def encode_labels(name: str, *parts: NDArray[Any]) -> tuple[NDArray[Any], list[NDArray[np.int64]]]:
    """Turn labels of any sortable type, [n] or [n, 1] in each part, into codes.

    Returns
    -------
    classes : ndarray of shape (k,)
        The labels of all parts, ascending.
    codes : list of ndarray of int64
        For each part, the position of each label in `classes`.

    Raises
    ------
    DataError
        Beginning with `name`, if labels have more than one column, are missing, or cannot be ordered.
    """
    labels = np.concatenate([part.reshape(len(part)) if part.size == len(part) else part for part in parts])
    if labels.ndim != 1:
        raise DataError(f"{name}: class labels must be one column, y has shape {parts[0].shape}")
    if labels.dtype.kind == "f":
        check_finite(labels, f"{name}, labels")
    try:
        classes, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise DataError(
            f"{name}: labels of different types cannot be ordered ({error}); use one type"
        ) from error
    ends = np.cumsum([len(part) for part in parts])
    return classes, np.split(codes.astype(np.int64, copy=False), ends[:-1])


def _check(name: str, parts: list[Raw], *, lacking: bool) -> None:
    for where, part in zip((name, f"{name}, test set"), parts, strict=False):
        _check_raw(part, where)
        if part.x.dtype.kind == "f":
            check_finite(
                np.nan_to_num(part.x, posinf=np.inf, neginf=-np.inf) if lacking else part.x,
                f"{where}, features",
            )
    if len({part.x.shape[1:] for part in parts}) > 1:
        shapes = " and ".join(str(part.x.shape[1:]) for part in parts)
        raise DataError(f"{name}: training and test examples have different shapes, {shapes}")


def _check_raw(raw: Raw, where: str) -> None:
    if raw.x.ndim < 2:
        raise DataError(f"{where}: x has {raw.x.ndim} dimension(s), expected [examples, features...]")
    if raw.x.dtype.kind not in "fiub":
        raise DataError(f"{where}: x holds {raw.x.dtype}, expected real numbers")
    if raw.y.ndim < 1:
        raise DataError(f"{where}: y is a single value, expected one for each row of x")
    if len(raw.x) != len(raw.y):
        raise DataError(f"{where}: x has {len(raw.x)} rows but y has {len(raw.y)}")
    if len(raw.x) == 0 or math.prod(raw.x.shape[1:]) == 0:
        raise DataError(f"{where}: no rows or no features, x has shape {raw.x.shape}")
    if raw.groups is not None and raw.groups.shape != (len(raw.x),):
        raise DataError(f"{where}: groups has shape {raw.groups.shape}, expected ({len(raw.x)},)")


def _is_labelled(name: str, y: NDArray[Any], task: Task) -> bool:
    if task not in ("auto", "classification", "regression"):
        raise DataError(f"{name}: task={task!r}, expected one of auto, classification, regression")
    return task == "classification" or (task == "auto" and y.dtype.kind != "f")


def _targets(name: str, parts: list[NDArray[Any]]) -> list[NDArray[Any]]:
    for y in parts:
        if y.ndim > 2 or y.dtype.kind not in "fiub":
            raise DataError(
                f"{name}: real-valued targets must be numbers [n] or [n, t], got {y.dtype} {y.shape}"
            )
        if y.dtype.kind == "f":
            check_finite(y, f"{name}, targets")
    return [y.reshape(len(y), -1).astype(np.float64) for y in parts]
