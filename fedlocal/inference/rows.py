"""Raw rows from Python, checked against what a model was trained on."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fedlocal.data import Column, DataError, check_finite
from fedlocal.inference.columns import features, match, problem
from fedlocal.inference.model_spec import ModelSpec


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
