"""Raw rows from Python, checked against what a model was trained on.

Their columns, as those of files, are found by the names that the model was trained with, never by guess.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fedlocal.data import Column, DataError, check_finite
from fedlocal.data.features import MISSING, is_number
from fedlocal.inference.model_spec import ModelSpec

SHOWN = 8  # names of a list in a message


def checked_rows(x: ArrayLike, spec: ModelSpec) -> NDArray[Any]:
    """Return rows as a C-contiguous array of real, finite numbers, [n, ...], as many as the model takes.

    The columns of a data frame are found by their names, if the model was trained on columns with names.

    Raises
    ------
    DataError
        If the rows are no such array.
    """
    named = spec.columns and hasattr(x, "columns")
    rows = _of_frame(x, spec.columns) if named else np.asarray(x)
    inputs, shape = spec.inputs, spec.shape
    if rows.dtype.kind not in "fiub":
        raise DataError(f"x holds {rows.dtype}, expected real numbers")
    if rows.ndim < 2 or math.prod(rows.shape[1:]) != inputs:
        shaped = f" or [n, {', '.join(map(str, shape))}]" if len(shape) > 1 else ""
        hint = "; of a single row, hand over x[None]" if rows.size == inputs else ""
        raise DataError(f"x has shape {list(rows.shape)}, this model takes [n, {inputs}]{shaped}{hint}")
    if rows.dtype.kind == "f":
        check_finite(rows, "x")
    return np.ascontiguousarray(rows)


def match(where: str, names: Sequence[str], header: Sequence[str]) -> tuple[list[int], list[str]]:
    """Find the columns that a model was trained on by their names among those of a header.

    They match exactly, or else without regard to case where that is clear.

    Returns
    -------
    positions : list of int
        Of each of the model's columns among those that are given.
    notes : list of str
        Remarks for people.

    Raises
    ------
    DataError
        If a name is missing or there twice; the message begins with `where`, and lists both sides.
    """
    similar = _similar(names, header)
    positions = {
        name: header.index(similar.get(name, name)) for name in names if similar.get(name, name) in header
    }
    missing = [name for name in names if name not in positions]
    twice = [name for name in names if header.count(similar.get(name, name)) > 1]
    if missing or twice:
        what, some = ("lacks", missing) if missing else ("has twice", twice)
        raise DataError(
            f"{where}: {what} {listed(some)}; its columns are {listed(header)}, "
            f"the model was trained on {listed(names)}"
        )
    notes = []
    if similar:
        pairs = [f"{given} as {name}" for name, given in similar.items()]
        notes.append(f"columns are matched without regard to case: {listed(pairs)}")
    if ignored := [name for at, name in enumerate(header) if at not in positions.values()]:
        notes.append(f"columns that the model does not know are left out: {', '.join(ignored)}")
    return [positions[name] for name in names], notes


def listed(names: Sequence[str]) -> str:
    """Return names as a list of bearable length."""
    return f"{', '.join(names[:SHOWN])}{' and more' if len(names) > SHOWN else ''}"


def features(column: Column, cells: Sequence[str]) -> NDArray[np.float64]:
    """Return what texts in a column stand for, (n, width); KeyError or ValueError where one says nothing."""
    if column.fill is not None:
        codes = column.categories
        fill = repr(column.fill) if codes is None else codes[int(column.fill)]
        cells = [fill if cell in MISSING else cell for cell in cells]
    if column.categories is None:
        return column.features(np.array(cells, np.float64))
    codes_by_text = {text: code for code, text in enumerate(column.categories)}
    return column.features(np.array([codes_by_text[cell] for cell in cells], np.float64))


def problem(column: Column, cell: str) -> str | None:
    """Say why a text in a column is none of its values, None if it is."""
    if column.fill is not None and cell in MISSING:
        return None
    if not cell:
        return "is empty"
    if column.categories is not None:
        known = cell in column.categories
        return None if known else f"{cell!r} is not one of {', '.join(column.categories)}"
    if not is_number(cell):
        return f"{cell!r} is not a number"
    return None if np.isfinite(float(cell)) else f"{cell} is not a finite number"


def _similar(names: Sequence[str], header: Sequence[str]) -> Mapping[str, str]:
    """Return what stands for names that are not in the header, where nothing else could be meant."""
    given, wanted = (Counter(name.casefold() for name in some) for some in (header, names))
    by_case = {name.casefold(): name for name in header}
    return {
        name: by_case[name.casefold()]
        for name in names
        if name not in header and given[name.casefold()] == wanted[name.casefold()] == 1
    }


def _of_frame(frame: Any, columns: Sequence[Column]) -> NDArray[np.float64]:
    given = list(frame.columns)
    positions, _ = match("x", [column.name for column in columns], list(map(str, given)))
    parts = [
        _features(column, np.asarray(frame[given[position]]))
        for column, position in zip(columns, positions, strict=True)
    ]
    return np.hstack(parts)


def _features(column: Column, values: NDArray[Any]) -> NDArray[np.float64]:
    if column.categories is not None:
        cells = ["" if value is None else str(value) for value in values.tolist()]
        try:
            return features(column, cells)
        except KeyError as error:
            raise DataError(f"x, column {column.name}: {problem(column, error.args[0])}") from error
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"x, column {column.name}: {error}") from error
    return column.features(
        numbers if column.fill is None else np.where(np.isnan(numbers), column.fill, numbers)
    )
