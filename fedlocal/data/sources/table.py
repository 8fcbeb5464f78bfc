"""A raw table of named columns, of numbers and of text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import DataError
from fedlocal.data.features import Column
from fedlocal.data.sources.assemble import Raw

Encoding = Literal["onehot", "ordinal"]
SHOWN = 8  # columns of a list in a message


@dataclass(frozen=True, eq=False)
class Table:
    """Rows whose values have names; its title begins every message.

    Parameters
    ----------
    columns : list of str
        Names.
    cells : ndarray of float64, shape (rows, columns)
        Numbers, or positions in `categories`; NaN is missing.
    categories : dict of str to list of str
        The values of each column of text.
    """

    title: str
    columns: list[str]
    cells: NDArray[np.float64]
    categories: dict[str, list[str]]

    def raw(
        self, features: Sequence[str], targets: Sequence[str], group: str | None, encoding: Encoding
    ) -> Raw:
        """Return the rows with each column in its role; what is missing in a feature is NaN."""
        columns = self.described(features, encoding)
        return Raw(
            np.hstack([column.features(self.column(column.name)) for column in columns]),
            np.column_stack([self.values(target) for target in targets]),
            self.values(group) if group is not None else None,
            columns,
        )

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a column's numbers, or the positions of its values."""
        if name not in self.columns:
            raise DataError(f"{self.title}: no column {name!r}, there are {', '.join(self.columns)}")
        return self.cells[:, self.columns.index(name)]

    def values(self, name: str) -> NDArray[Any]:
        """Return a column's numbers, or texts."""
        column = self.column(name)
        if name in self.categories:
            return np.array(self.categories[name])[column.astype(np.int64)]
        return column

    def described(self, names: Sequence[str], encoding: Encoding) -> tuple[Column, ...]:
        """Describe the columns to learn from."""
        if not names:
            raise DataError(f"{self.title}: no column is left to learn from")
        categories = [self.categories.get(name) for name in names]
        return tuple(
            Column(name, tuple(values) if values is not None else None, onehot=encoding == "onehot")
            for name, values in zip(names, categories, strict=True)
        )

    def complete(self, names: Sequence[str], *, drop: bool, instead: str) -> "Table":
        """Return the rows that lack nothing in some columns.

        Raises
        ------
        DataError
            If there are others, unless they are to be dropped; the message counts them for each column.
        """
        lacking = {name: np.isnan(self.column(name)) for name in names}
        rows = np.any(list(lacking.values()), axis=0)
        if rows.any() and not drop:
            some = [f"{name} ({mask.sum()})" for name, mask in lacking.items() if mask.any()]
            raise DataError(
                f"{self.title}: {rows.sum()} of {len(rows)} rows lack values, in {', '.join(some[:SHOWN])}"
                f"{' and more' if len(some) > SHOWN else ''}; {instead}"
            )
        if rows.all():
            raise DataError(f"{self.title}: no row is complete")
        return replace(self, cells=self.cells[~rows])


def assign_roles(
    table: Table,
    features: Sequence[str],
    targets: Sequence[str],
    group: str | None,
    *,
    encoding: Encoding,
    missing: Literal["error", "drop"],
    impute: str | None,
) -> Raw:
    """Return a table's rows with each column in its role, and what is missing dealt with as was asked.

    Raises
    ------
    DataError
        If a column is not there, or values are missing where they must not be.
    """
    if impute and missing == "drop":
        raise DataError(f"{table.title}: missing=drop leaves nothing for impute={impute}; give one of them")
    needed = [*targets, *([] if group is None else [group])]
    ways = "dataset.missing=drop leaves these rows out"
    if not impute:
        ways += ", dataset.impute=median fills in features"
    names = needed if impute else [*features, *needed]
    return table.complete(names, drop=missing == "drop", instead=ways).raw(features, targets, group, encoding)
