"""Which columns of a Hugging Face data set are features and which is the label; features as one array."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import DataError
from fedlocal.data.features import Column
from fedlocal.data.sources.arrow import numbers, pictures

logger = logging.getLogger(__name__)

PICTURE, ARRAY, NUMBER, CLASS, OTHER = "picture", "list of numbers", "number", "class", "other"
NUMERIC = ("int", "uint", "float", "bool")
LABELS = ("label", "labels")


@dataclass(frozen=True)
class Roles:
    """The role of each column that is used."""

    features: tuple[str, ...]
    label: str
    group: str | None


def kind(feature: Any) -> str:
    """Say what a column holds, by its description in ``Dataset.features``."""
    name = type(feature).__name__
    if name == "Image":
        return PICTURE
    if name == "ClassLabel":
        return CLASS
    if name == "Value":
        return NUMBER if feature.dtype.startswith(NUMERIC) else OTHER
    if name.startswith("Array"):  # Array2D to Array5D
        return ARRAY
    if name in ("List", "LargeList"):
        return ARRAY if kind(feature.feature) in (NUMBER, ARRAY) else OTHER
    return OTHER


def roles_of(
    title: str,
    described: Mapping[str, Any],
    features: Sequence[str] | None,
    label: str | None,
    group: str | None,
) -> Roles:
    """Decide what each column is for, by ``Dataset.features`` and what was asked for, where that is not None.

    Raises
    ------
    DataError
        Beginning with `title`, if a column is not there, has two roles, cannot be used, or cannot be told
        from others.
    """
    asked = [*(features or []), *([label] if label else []), *([group] if group else [])]
    for name in asked:
        if name not in described:
            raise DataError(f"{title}: no column {name!r}; there are {_listed(described)}")
        if asked.count(name) > 1:
            raise DataError(f"{title}: column {name!r} is named twice among features, label and group")
    label = label or _label(title, described, {*(features or []), group})
    rest = {name: feature for name, feature in described.items() if name not in (label, group)}
    chosen = list(features) if features else _features(title, rest)
    _check_usable(title, {name: rest[name] for name in chosen if name in rest})
    if label in chosen:
        raise DataError(f"{title}: column {label!r} is both label and feature; set dataset.label=COLUMN")
    if left := [name for name in rest if name not in chosen]:
        logger.info("%s: features are %s; left out: %s", title, ", ".join(chosen), ", ".join(left))
    return Roles(tuple(chosen), label, group)


def features_of(
    table: Any, described: Mapping[str, Any], names: Sequence[str], where: str
) -> tuple[NDArray[Any], tuple[Column, ...]]:
    """Return the features of n rows, (n, ...), and their description if each column is a number or a class.

    Raises
    ------
    DataError
        If a column's values cannot be used.
    """
    kinds = [kind(described[name]) for name in names]
    if kinds == [PICTURE]:
        return pictures(table[names[0]], f"{where}, column {names[0]!r}"), ()
    if kinds == [ARRAY]:
        return numbers(table[names[0]], f"{where}, column {names[0]!r}"), ()
    parts, columns = [], []
    for name, held in zip(names, kinds, strict=True):
        values = numbers(table[name], f"{where}, column {name!r}")
        column = Column(name, tuple(described[name].names) if held == CLASS else None)
        if held == CLASS and (missing := int((values < 0).sum())):
            raise DataError(f"{where}, column {name!r}: no class in {missing} of {len(values)} rows (-1)")
        parts.append(values.reshape(len(values), -1) if held == ARRAY else column.features(values))
        columns.append(column)
    return np.hstack(parts), () if ARRAY in kinds else tuple(columns)


def _label(title: str, described: Mapping[str, Any], taken: set[str | None]) -> str:
    free = {name: feature for name, feature in described.items() if name not in taken}
    candidates = [name for name in LABELS if name in free] or [
        name for name, feature in free.items() if kind(feature) == CLASS
    ]
    if len(candidates) != 1:
        several = (
            f"it can be one of {', '.join(candidates)}"
            if candidates
            else f"the columns are {_listed(described)}"
        )
        raise DataError(f"{title}: which column is the label? Set dataset.label=COLUMN; {several}")
    return candidates[0]


def _features(title: str, rest: Mapping[str, Any]) -> list[str]:
    kinds = {name: kind(feature) for name, feature in rest.items()}
    for sought in (PICTURE, ARRAY):
        candidates = [name for name, held in kinds.items() if held == sought]
        if len(candidates) == 1:
            return candidates
        if candidates:
            raise DataError(
                f"{title}: columns {', '.join(candidates)} each hold a {sought}; choose one: "
                f"dataset.features=[{candidates[0]}]"
            )
    candidates = [name for name, held in kinds.items() if held in (NUMBER, CLASS)]
    if not candidates:
        raise DataError(f"{title}: no column holds pictures or numbers to learn from: {_listed(rest)}")
    if unusable := {name: feature for name, feature in rest.items() if kinds[name] == OTHER}:
        raise DataError(
            f"{title}: features must be numbers, but there is also {_listed(unusable)}; leave out what is no "
            f"feature, dataset.features=[{','.join(candidates)}], or make texts classes with "
            "Dataset.class_encode_column and save_to_disk"
        )
    return candidates


def _check_usable(title: str, chosen: Mapping[str, Any]) -> None:
    for name, feature in chosen.items():
        held = kind(feature)
        if held == OTHER:
            raise DataError(
                f"{title}: column {name!r} holds {_described(feature)}, a feature must be a picture, a list "
                "of numbers, a number or a class; make texts classes with Dataset.class_encode_column, or "
                "embed them as lists of numbers, and save_to_disk"
            )
        if held == PICTURE and len(chosen) > 1:
            raise DataError(
                f"{title}: column {name!r} holds pictures, which are features by themselves: "
                f"dataset.features=[{name}]"
            )


def _described(feature: Any) -> str:
    return str(getattr(feature, "dtype", None) or type(feature).__name__)


def _listed(described: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} ({_described(feature)})" for name, feature in described.items())
