"""Raw rows from Python, checked against what a model was trained on."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fedlocal.data import DataError, check_finite
from fedlocal.inference.blueprint import Blueprint


def checked_rows(x: ArrayLike, blueprint: Blueprint) -> NDArray[Any]:
    """Return rows as a C-contiguous array of real, finite numbers, [n, ...], as many as the model takes.

    Raises
    ------
    DataError
        If they are none.
    """
    rows, inputs, shape = np.asarray(x), blueprint.inputs, blueprint.shape
    if rows.dtype.kind not in "fiub":
        raise DataError(f"x holds {rows.dtype}, expected real numbers")
    if rows.ndim < 2 or math.prod(rows.shape[1:]) != inputs:
        shaped = f" or [n, {', '.join(map(str, shape))}]" if len(shape) > 1 else ""
        one = "; of a single row, hand over x[None]" if rows.size == inputs else ""
        raise DataError(f"x has shape {list(rows.shape)}, this model takes [n, {inputs}]{shaped}{one}")
    if rows.dtype.kind == "f":
        check_finite(rows, "x")
    return np.ascontiguousarray(rows)
