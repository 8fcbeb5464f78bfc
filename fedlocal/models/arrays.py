"""Copying named arrays into a model, with an error that names the first difference."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.protocol import Arrays, Model, ModelError

quietly = np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore")
"""Decorates what may diverge: a loss that is not finite is returned, not warned of."""


def untrained_of(model: Model) -> frozenset[str]:
    """Return the names of arrays that no gradient moves: a model's attribute ``untrained``."""
    return frozenset(getattr(model, "untrained", ()))


def copy_arrays(into: dict[str, NDArray[Any]], arrays: Arrays) -> None:
    """Copy ``arrays`` into the arrays of the same names, or into none of them.

    Raises
    ------
    ModelError
        If names, shapes or dtypes differ.
    """
    check_arrays(into, arrays)
    for name, target in into.items():
        np.copyto(target, arrays[name])


def check_arrays(expected: Arrays, arrays: Arrays) -> None:
    """Raise :class:`ModelError` at the first name, shape or dtype that differs from the expected one."""
    for name, want in expected.items():
        if name not in arrays:
            raise ModelError(
                f"array {name!r} is missing; this model has {list(expected)}, got {list(arrays)}"
            )
        got = arrays[name]
        if got.shape != want.shape:
            raise ModelError(f"array {name!r} has shape {got.shape}; this model's has {want.shape}")
        if got.dtype != want.dtype:
            raise ModelError(f"array {name!r} is {got.dtype}; this model's is {want.dtype}: convert it first")
    for name in arrays:
        if name not in expected:
            raise ModelError(f"array {name!r} is not one of this model's: {list(expected)}")


def check_vector(vector: NDArray[np.float32], size: int) -> None:
    """Raise :class:`ModelError` unless a vector is a contiguous float32[size], as all parameters are."""
    if vector.shape != (size,) or vector.dtype != np.float32 or not vector.flags.c_contiguous:
        raise ModelError(
            f"all parameters are a contiguous float32[{size}]; got {vector.dtype}{list(vector.shape)}"
        )


def check_strength(mu: float) -> None:
    """Raise :class:`ModelError` unless an anchor can have this strength."""
    if not 0 <= mu < math.inf:
        raise ModelError(f"mu is {mu}; the strength of an anchor must be at least 0 and finite")
