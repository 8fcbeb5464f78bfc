"""Raw rows from files, checked against what a model was trained on."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data import Column, DataError
from fedlocal.data.features import is_number
from fedlocal.data.sources.npz_reader import read_npz
from fedlocal.inference.model_spec import ModelSpec
from fedlocal.inference.rows import features, listed, match, problem

Array = NDArray[Any]
Lines = Iterator[tuple[int, list[str]]]
"""The lines of a file that are not empty, by their numbers."""

ROWS_AT_ONCE = 1024  # as text, rows take ten times the memory of their numbers


def read_rows(path: Path, spec: ModelSpec, *, header: bool | None = None) -> tuple[Array, list[str]]:
    """Read raw rows from an ``.npz`` with an array ``x``, or a ``.csv``.

    Parameters
    ----------
    path : Path
        The file. Where the model's features have names, its columns are found by them: by the header of a
        table, by an array ``columns`` beside ``x``.
    spec : ModelSpec
        What the model is.
    header : bool or None
        Whether the first line of a table names its columns. None: it does if it must, because it cannot be
        a row; where it could be either, that is an error.

    Returns
    -------
    rows : ndarray, shape (n, d) or (n, ...)
        Real numbers, n > 0.
    notes : list of str
        Remarks for people on how the columns were found.

    Raises
    ------
    DataError
        If the file is none of these, or lacks what the model needs.
    """
    if path.suffix == ".npz":
        rows, notes = _read_arrays(path, spec)
    elif path.suffix == ".csv":
        rows, notes = _read_text(path, spec, header)
    else:
        raise DataError(f"{path}: rows come as .npz or .csv, not as {path.suffix or 'a file without suffix'}")
    if rows.shape[:1] == (0,):
        raise DataError(f"{path}: has no rows")
    return rows, notes


def _read_arrays(path: Path, spec: ModelSpec) -> tuple[Array, list[str]]:
    arrays = read_npz(path, "input=FILE.npz takes what numpy.savez writes of x")
    if "x" not in arrays:
        raise DataError(f"{path}: holds {sorted(arrays)}, lacks x, the rows")
    x, names = arrays["x"], arrays.get("columns")
    if names is None or not spec.columns:
        return x, []
    if any(column.categories is not None for column in spec.columns):
        raise DataError(f"{path}: the model was trained on columns of text, which come as .csv")
    if x.ndim != 2 or names.shape != x.shape[1:]:
        raise DataError(f"{path}: columns has shape {names.shape}, x {x.shape}; each column needs one name")
    wanted = [column.name for column in spec.columns]
    positions, notes = match(str(path), wanted, names.astype(str).tolist())
    return x[:, positions], notes


def _read_text(path: Path, spec: ModelSpec, header: bool | None) -> tuple[Array, list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return _CsvRows.of(path, stream, spec, header).read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a table of text with commas: {error}") from error


@dataclass
class _CsvRows:
    path: Path
    lines: Lines
    columns: Sequence[Column]
    positions: list[int]  # of each column in a line
    width: int  # of a line
    notes: list[str]

    @classmethod
    def of(cls, path: Path, stream: io.TextIOBase, spec: ModelSpec, header: bool | None) -> "_CsvRows":
        reader = csv.reader(stream)
        lines: Lines = ((reader.line_num, line) for line in reader if line)
        columns = spec.columns or [Column(str(at)) for at in range(spec.inputs)]
        first = next(lines, None)
        if first is None:
            raise DataError(f"{path}: is empty")
        cells = [cell.strip() for cell in first[1]]
        names = [column.name for column in columns]
        named = header if header is not None else _is_header(path, cells, spec)
        if header is False and spec.columns and set(names) <= {str(at) for at in range(len(cells))}:
            numbered = [str(at) for at in range(len(cells))]  # as in training
            positions, notes = match(str(path), names, numbered)
            return cls(path, chain([first], lines), columns, positions, len(cells), notes)
        if named and (spec.columns or set(names) <= set(cells)):
            positions, notes = match(str(path), names, cells)
            return cls(path, lines, columns, positions, len(cells), notes)
        if len(cells) != len(columns):
            given = f"{path}, line {first[0]}: {len(cells)} columns"
            raise DataError(f"{given}, the model takes {len(columns)}{_column_names(spec)}")
        notes = []
        if named:
            columns = [Column(cell) for cell in cells]
            notes.append("the model knows no names of its features: columns are taken in their order")
        else:
            lines = chain([first], lines)
        return cls(path, lines, columns, list(range(len(columns))), len(columns), notes)

    def read(self) -> tuple[Array, list[str]]:
        blocks = [self._block(lines) for lines in _batches(self.lines)]
        width = sum(column.width for column in self.columns)
        return np.concatenate(blocks) if blocks else np.empty((0, width)), self.notes

    def _block(self, lines: list[tuple[int, list[str]]]) -> Array:
        for number, line in lines:
            if len(line) != self.width:
                raise DataError(f"{self.path}, line {number}: {len(line)} columns, expected {self.width}")
        try:
            numbers = self._features([line for _, line in lines])
        except (KeyError, ValueError):
            self._raise_problem(lines)
            raise
        if not np.isfinite(numbers).all():
            self._raise_problem(lines)
        return numbers

    def _features(self, lines: list[list[str]]) -> Array:
        if all(column.categories is None and column.fill is None for column in self.columns):
            return np.array([[line[at] for at in self.positions] for line in lines], np.float64)
        columns = zip(self.columns, self.positions, strict=True)
        return np.hstack([features(column, [line[at].strip() for line in lines]) for column, at in columns])

    def _raise_problem(self, lines: list[tuple[int, list[str]]]) -> None:
        """Name the first cell that the model cannot take."""
        for number, line in lines:
            for column, at in zip(self.columns, self.positions, strict=True):
                if what := problem(column, line[at].strip()):
                    raise DataError(f"{self.path}, line {number}, column {column.name}: {what}")


def _is_header(path: Path, cells: list[str], spec: ModelSpec) -> bool:
    """Tell whether a first line names columns; no line that could be a row is taken for names."""
    if not spec.columns:
        if cells == [str(at) for at in range(len(cells))]:  # pandas' own names, or a row
            raise DataError(_ambiguous(path, cells))
        return any(cells) and not any(cell and is_number(cell) for cell in cells)
    wanted = {column.name.casefold() for column in spec.columns}
    if not wanted & {cell.casefold() for cell in cells}:
        raise DataError(
            f"{path}: its first line, {listed(cells)}, names no column that the model was trained on"
            f"{_column_names(spec)}; if it is a row, and all columns stand in that order, say so: "
            "header=false"
        )
    if len(cells) == len(spec.columns) and not any(map(problem, spec.columns, cells)):
        raise DataError(_ambiguous(path, cells))
    return True


def _ambiguous(path: Path, cells: list[str]) -> str:
    return f"{path}: its first line, {listed(cells)}, may be names or a row: say header=true or header=false"


def _column_names(spec: ModelSpec) -> str:
    names = [column.name for column in spec.columns]
    return f": {listed(names)}" if names else ""


def _batches(lines: Lines) -> Iterator[list[tuple[int, list[str]]]]:
    while some := list(islice(lines, ROWS_AT_ONCE)):
        yield some
