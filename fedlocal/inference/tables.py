"""Raw rows from files, checked against what a model was trained on."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data import Column, DataError
from fedlocal.data.sources.arrays import read_npz
from fedlocal.inference.blueprint import Blueprint

Array = NDArray[Any]
Lines = Iterator[tuple[int, list[str]]]
"""The lines of a file that are not empty, by their numbers."""

TOGETHER = 1024  # rows at once: as text they take ten times the memory of their numbers


def read_rows(path: Path, blueprint: Blueprint) -> tuple[Array, list[str]]:
    """Read raw rows from an ``.npz`` with an array ``x``, or a ``.csv``.

    Returns
    -------
    rows : ndarray, shape (n, d) or (n, ...)
        Real numbers.
    ignored : list of str
        Columns of a table that the model does not know.

    Raises
    ------
    DataError
        If the file is none of these, or lacks what the model needs.
    """
    if path.suffix == ".npz":
        arrays = read_npz(path, "input=FILE.npz takes what numpy.savez writes of x")
        if "x" not in arrays:
            raise DataError(f"{path}: holds {sorted(arrays)}, lacks x, the rows")
        return arrays["x"], []
    if path.suffix != ".csv":
        raise DataError(f"{path}: rows come as .npz or .csv, not as {path.suffix or 'a file without suffix'}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return _Table.of(path, stream, blueprint).read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a table of text with commas: {error}") from error


@dataclass
class _Table:
    path: Path
    lines: Lines
    columns: Sequence[Column]
    places: list[int]  # of each column in a line
    width: int  # of a line
    ignored: list[str]

    @classmethod
    def of(cls, path: Path, stream: io.TextIOBase, blueprint: Blueprint) -> "_Table":
        reader = csv.reader(stream)
        lines: Lines = ((reader.line_num, line) for line in reader if line)
        known = blueprint.columns or [Column(str(at)) for at in range(blueprint.inputs)]
        first = next(lines, None)
        if first is None:
            raise DataError(f"{path}: is empty")
        if blueprint.columns and {cell.strip() for cell in first[1]} & {column.name for column in known}:
            places, ignored = _matched(path, known, [cell.strip() for cell in first[1]])
            return cls(path, lines, known, places, len(first[1]), ignored)
        if not _is_header(first[1]):
            lines = _with(first, lines)
        elif not blueprint.columns and len(first[1]) == len(known):
            known = [Column(cell.strip()) for cell in first[1]]
        if len(first[1]) != len(known):
            found = f"{path}, line {first[0]}: {len(first[1])} columns"
            raise DataError(f"{found}, the model takes {len(known)}{_named(blueprint)}")
        return cls(path, lines, known, list(range(len(known))), len(known), [])

    def read(self) -> tuple[Array, list[str]]:
        blocks = [self._block(lines) for lines in _together(self.lines)]
        width = sum(column.width for column in self.columns)
        return np.concatenate(blocks) if blocks else np.empty((0, width)), self.ignored

    def _block(self, lines: list[tuple[int, list[str]]]) -> Array:
        for number, line in lines:
            if len(line) != self.width:
                raise DataError(f"{self.path}, line {number}: {len(line)} columns, expected {self.width}")
        if all(column.categories is None for column in self.columns):
            cells = [[line[place] for place in self.places] for _, line in lines]
            numbers = self._numbers(lines, lambda: np.array(cells, np.float64))
        else:
            columns = zip(self.columns, self.places, strict=True)
            numbers = np.hstack([self._column(column, place, lines) for column, place in columns])
        if not np.isfinite(numbers).all():
            self._refuse(lines)
        return numbers

    def _column(self, column: Column, place: int, lines: list[tuple[int, list[str]]]) -> Array:
        cells = [line[place] for _, line in lines]
        if column.categories is None:
            return column.features(self._numbers(lines, lambda: np.array(cells, np.float64)))
        codes = {value: code for code, value in enumerate(column.categories)}
        try:
            return column.features(np.array([codes[cell.strip()] for cell in cells], np.float64))
        except KeyError:
            self._refuse(lines)
            raise

    def _numbers(self, lines: list[tuple[int, list[str]]], make: Callable[[], Array]) -> Array:
        try:
            return make()
        except ValueError:
            self._refuse(lines)
            raise

    def _refuse(self, lines: list[tuple[int, list[str]]]) -> None:
        """Name the first cell that the model cannot take."""
        for number, line in lines:
            for column, place in zip(self.columns, self.places, strict=True):
                if problem := _problem(column, line[place].strip()):
                    raise DataError(f"{self.path}, line {number}, column {column.name}: {problem}")


def _matched(path: Path, columns: Sequence[Column], header: list[str]) -> tuple[list[int], list[str]]:
    """Return the place of each column in the header, and the names that are of none."""
    names = [column.name for column in columns]
    missing = [name for name in names if name not in header]
    twice = [name for name in names if header.count(name) > 1]
    if missing or twice:
        what, some = ("lacks", missing) if missing else ("has twice", twice)
        raise DataError(
            f"{path}: {what} {', '.join(some[:8])}{' and more' if len(some) > 8 else ''}, "
            "which the model was trained on"
        )
    return [header.index(name) for name in names], [name for name in header if name not in names]


def _is_header(line: list[str]) -> bool:
    """Tell whether a first line names columns: no cell is a number, or they are pandas' own: 0, 1, 2, …."""
    return line == [str(at) for at in range(len(line))] or not any(map(_is_number, line))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell.strip()  # where a number is missing, it is not a name either
    return True


def _problem(column: Column, cell: str) -> str | None:
    if not cell:
        return "is empty"
    if column.categories is not None:
        if cell in column.categories:
            return None
        return f"{cell!r} is not one of {', '.join(column.categories)}"
    if not _is_number(cell):
        return f"{cell!r} is not a number"
    return None if np.isfinite(float(cell)) else f"{cell} is not a finite number"


def _named(blueprint: Blueprint) -> str:
    names = [column.name for column in blueprint.columns]
    return f": {', '.join(names[:8])}{' and more' if len(names) > 8 else ''}" if names else ""


def _with(first: tuple[int, list[str]], lines: Lines) -> Lines:
    yield first
    yield from lines


def _together(lines: Lines) -> Iterator[list[tuple[int, list[str]]]]:
    some = []
    for line in lines:
        some.append(line)
        if len(some) == TOGETHER:
            yield some
            some = []
    if some:
        yield some
