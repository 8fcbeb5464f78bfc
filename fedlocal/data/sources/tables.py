"""Any data set of openml.org, by name or id."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import Dataset
from fedlocal.data.errors import DataError
from fedlocal.data.features import Column
from fedlocal.data.sources.assemble import Raw, Task, assemble
from fedlocal.data.sources.download import fetch
from fedlocal.data.sources.scaling import Scale

Encoding = Literal["onehot", "ordinal"]


def openml(
    *,
    rng: np.random.Generator,
    name: str | None = None,
    version: int | None = None,
    data_id: int | None = None,
    target: str | None = None,
    group: str | None = None,
    task: Task = "auto",
    encoding: Encoding = "onehot",
    missing: Literal["error", "drop"] = "error",
    scale: Scale = "standard",
    test_fraction: float = 0.2,
    cache: str | None = None,
) -> Dataset:
    """Load a table from openml.org, downloaded once.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the test rows.
    name, version : str or None, int or None
        Name and version of the data set; without version, the oldest active one.
    data_id : int or None
        Or its number; give either `name` or `data_id`.
    target : str or None
        Column to predict; None: the one that OpenML names.
    group : str or None
        Column of natural group ids; it is no feature.
    task : {"auto", "classification", "regression"}
        "auto": a nominal target is a class, a numeric one is real-valued.
    encoding : {"onehot", "ordinal"}
        How a nominal column becomes numbers: one column for each category, or its position among them.
    missing : {"error", "drop"}
        What happens to rows in which a value is missing.
    scale : {"unit", "standard", "none"}
        "standard": each column to mean 0 and deviation 1; "unit": to [0, 1]; by the training rows.
    test_fraction : float
        Part of the rows that is held out, stratified by class.
    cache : str or None
        Folder for the download; None: scikit-learn's ``data_home``.

    Raises
    ------
    DataError
        If the data set cannot be had or used; the message says why.
    """
    if (name is None) == (data_id is None):
        raise DataError("openml: give either dataset.name=NAME or dataset.data_id=NUMBER")
    chosen = {"data_id": data_id} if name is None else {"name": name, "version": version or "active"}
    title = str(name or data_id)
    otherwise = "Run once where it can be reached, or save your own arrays and use dataset=npz."
    # all columns are asked for as features: only so are nominal ones encoded without pandas
    bunch = fetch(
        f"openml {title}", otherwise, **chosen, target_column=None, parser="liac-arff", data_home=cache
    )
    table = _Table.of(title, bunch)
    targets = _targets(title, target, bunch)
    groups = [] if group is None else [group]
    features = [column for column in table.columns if column not in targets + groups]
    table = table.without_missing([*features, *targets, *groups], drop=missing == "drop")
    columns = table.described(features, encoding)
    raw = Raw(
        table.numbers(columns),
        np.column_stack([table.values(column) for column in targets]),
        table.values(group) if group is not None else None,
        columns,
    )
    return assemble(title, raw, None, rng, task=task, scale=scale, white=0, test_fraction=test_fraction)


@dataclass(frozen=True, eq=False)
class _Table:
    title: str
    columns: list[str]
    cells: NDArray[
        np.float64
    ]  # [rows, columns]; nominal columns hold positions in categories, NaN is missing
    categories: dict[str, list[str]]

    @classmethod
    def of(cls, title: str, bunch: Any) -> "_Table":
        cells = bunch.data.toarray() if hasattr(bunch.data, "toarray") else np.asarray(bunch.data)
        return cls(title, list(bunch.feature_names), cells.astype(np.float64), dict(bunch.categories or {}))

    def column(self, name: str) -> NDArray[np.float64]:
        if name not in self.columns:
            raise DataError(f"openml {self.title}: no column {name!r}, there are {', '.join(self.columns)}")
        return self.cells[:, self.columns.index(name)]

    def values(self, name: str) -> NDArray[Any]:
        column = self.column(name)
        if name in self.categories:
            return np.array(self.categories[name])[column.astype(np.int64)]
        return column

    def described(self, names: list[str], encoding: Encoding) -> tuple[Column, ...]:
        if not names:
            raise DataError(f"openml {self.title}: no column is left to learn from")
        categories = [self.categories.get(name) for name in names]
        return tuple(
            Column(name, tuple(values) if values is not None else None, onehot=encoding == "onehot")
            for name, values in zip(names, categories, strict=True)
        )

    def numbers(self, columns: tuple[Column, ...]) -> NDArray[np.float64]:
        return np.hstack([column.features(self.column(column.name)) for column in columns])

    def without_missing(self, names: list[str], *, drop: bool) -> "_Table":
        lacking = {name: np.isnan(self.column(name)) for name in names}
        rows = np.any(list(lacking.values()), axis=0)
        if rows.any() and not drop:
            some = [f"{name} ({mask.sum()})" for name, mask in lacking.items() if mask.any()]
            raise DataError(
                f"openml {self.title}: {rows.sum()} of {len(rows)} rows lack values, in {', '.join(some[:8])}"
                f"{' and more' if len(some) > 8 else ''}; dataset.missing=drop leaves these rows out"
            )
        if rows.all():
            raise DataError(f"openml {self.title}: no row is complete")
        return _Table(self.title, self.columns, self.cells[~rows], self.categories)


def _targets(title: str, target: str | None, bunch: Any) -> list[str]:
    if target is not None:
        return [target]
    named = bunch.details.get("default_target_attribute") or ""
    if not named:
        raise DataError(
            f"openml {title}: OpenML names no target; give dataset.target=COLUMN, one of "
            f"{', '.join(bunch.feature_names)}"
        )
    return [column.strip() for column in named.split(",")]
