"""Layouts: which records a content has, and what each of its buffers holds.

The layout is the first part of a header, with its length before it. It is the same for all clients of a run,
and parsed once. What it claims is checked against the bytes that are there before an array is made of them.
"""

import json
import math
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from flwr.app import Array

from fedlocal.actors import Buffer
from fedlocal.flower.compat.private import NUMPY
from fedlocal.flower.messages.arrays import LocalArray, travelling, unwrapped

KEPT = 1 << 16  # bytes; longer layouts are not cached, for a client may send any number of them

_LENGTH = struct.Struct("!I")
_DTYPE = re.compile(r"[<>|][biufcSUmM][0-9]{1,9}(\[[0-9]*[a-zA-Z]+\])?")  # as in ``ndarray.dtype.str``


class CodecError(ValueError):
    """Bytes that should hold a message do not, or a message cannot be bytes."""


class ArrayLayout(NamedTuple):
    """What a buffer holds: an ndarray's values, or the data of an array of another kind than NumPy's."""

    key: str
    dtype: str
    shape: tuple[int, ...]
    stype: str | None  # of an array of another kind
    kind: np.dtype[Any]
    nbytes: int
    order: Literal["C", "F"] = "C"


Layout = tuple[tuple[str, tuple[ArrayLayout, ...] | None], ...]  # records by name; None has no arrays


def describe(key: str, array: Array, buffers: list[Buffer]) -> tuple[Any, ...]:
    """Return what a layout says of an array, and add its bytes to `buffers`, not copied where contiguous.

    The order of Fortran stays, as in ``.npy`` files: libraries compute other last bits with it.

    Raises
    ------
    CodecError
        If its bytes are not the array that they claim to be.
    """
    try:
        values = unwrapped(array)
    except ValueError as error:
        raise CodecError(f"array {key!r}: {error}") from error
    if values is not None:
        if values.flags.fnc:
            buffers.append(values.T.reshape(-1).view(np.uint8))
            return key, values.dtype.str, values.shape, None, "F"
        contiguous = values if values.flags.c_contiguous else np.ascontiguousarray(values)
        buffers.append(contiguous.reshape(-1).view(np.uint8))
        return key, values.dtype.str, values.shape, None
    buffers.append(array.data)
    return key, array.dtype, tuple(array.shape), array.stype


@lru_cache(maxsize=64)
def layout_bytes(layout: tuple[tuple[str, Any], ...]) -> bytes:
    """Return a layout, as `describe` says it array by array, as the first part of a header."""
    described = json.dumps(layout).encode()
    return _LENGTH.pack(len(described)) + described


def layout_of(header: bytes) -> bytes:
    """Return the first part of a header; contents that differ in numbers alone have it in common."""
    return header[: _LENGTH.size + _LENGTH.unpack_from(header)[0]]


def parse_layout(layout: bytes) -> Layout:
    """Undo `layout_bytes`."""
    parse = _parsed if len(layout) <= KEPT else _parsed.__wrapped__
    return parse(layout[_LENGTH.size :])


@lru_cache(maxsize=64)
def _parsed(described: bytes) -> Layout:
    return tuple(
        (str(name), None if arrays is None else tuple(_array_layout(*array) for array in arrays))
        for name, arrays in json.loads(described)
    )


def _array_layout(
    key: str, dtype: str, shape: Sequence[int], stype: str | None, order: Literal["C", "F"] = "C"
) -> ArrayLayout:
    if order not in ("C", "F"):
        raise CodecError(f"array {key!r} claims order {order!r}")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise CodecError(f"array {key!r} claims shape {shape}")
    if stype is not None:
        if stype == NUMPY:
            raise CodecError(f"array {key!r} claims to be a file of NumPy's, of which only the values travel")
        return ArrayLayout(str(key), str(dtype), tuple(shape), str(stype), np.dtype("u1"), -1)
    if not _DTYPE.fullmatch(dtype):
        raise CodecError(f"array {key!r} claims dtype {dtype!r}")
    kind = travelling(np.dtype(dtype))
    return ArrayLayout(str(key), dtype, tuple(shape), None, kind, kind.itemsize * math.prod(shape), order)


def restore(buffer: Buffer, described: ArrayLayout) -> Array:
    """Return the array that a buffer holds, a view of it.

    Raises
    ------
    CodecError
        If the layout claims other than the bytes that are there.
    """
    _, dtype, shape, stype, kind, nbytes, order = described
    if stype is not None:
        return Array(dtype=dtype, shape=shape, stype=stype, data=bytes(buffer))
    if len(buffer) != nbytes:
        raise CodecError(f"an array of {len(buffer)} bytes claims dtype {dtype} and shape {shape}")
    return LocalArray(np.ndarray(shape, kind, buffer if nbytes else b"", order=order))
