"""Parts: several pieces of bytes behind one another, each at an aligned offset."""

import math
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

Buffer = bytes | bytearray | memoryview | NDArray[Any]
Bytes = NDArray[np.uint8]

ALIGNMENT = 64  # bytes of a cache line
JOINED = 16  # alignment in a byte string, which CPython aligns alike
_COUNT = struct.Struct("!Q")


def raw(buffer: Buffer) -> memoryview:
    """Return the bytes of a C-contiguous buffer, not copied."""
    view = memoryview(cast(bytes, buffer))  # NumPy's arrays are buffers too; type stubs know it from 3.12 on
    if view.format == "B" and view.ndim == 1 and view.contiguous:
        return view
    return view.cast("B") if view.nbytes else memoryview(b"")


@lru_cache(maxsize=64)  # the messages of a run are all alike
def extents(lengths: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """Return the offsets of parts of these lengths, and the bytes that all take."""
    *starts, end = accumulate((-(-length // ALIGNMENT) * ALIGNMENT for length in lengths), initial=0)
    return tuple(starts), end


def split(buffer: Bytes, lengths: tuple[int, ...]) -> list[Bytes]:
    """Cut a buffer of shape (bytes,) into views of its parts."""
    return [
        buffer[start : start + length] for start, length in zip(extents(lengths)[0], lengths, strict=True)
    ]


class ArrayParts:
    """Arrays of known dtypes and shapes as the parts of a buffer.

    Parameters
    ----------
    arrays : iterable of (dtype, tuple of int)
        Dtype and shape of each.
    """

    def __init__(self, arrays: Iterable[tuple[DTypeLike, tuple[int, ...]]]) -> None:
        self._arrays = [(np.dtype(dtype), shape) for dtype, shape in arrays]
        lengths = tuple(math.prod(shape) * dtype.itemsize for dtype, shape in self._arrays)
        self._starts, self.nbytes = extents(lengths)

    def of(self, buffer: Any) -> list[NDArray[Any]]:
        """Return the arrays, views of a buffer of `nbytes` bytes."""
        pairs = zip(self._arrays, self._starts, strict=True)
        return [np.ndarray(shape, dtype, buffer, start) for (dtype, shape), start in pairs]


def join(parts: Sequence[Buffer]) -> bytes:
    """Join parts into one byte string that says where each is."""
    views = [raw(part) for part in parts]
    head = struct.pack(f"!{len(views) + 1}Q", len(views), *(view.nbytes for view in views))
    joined: list[bytes | memoryview] = [head, bytes(-len(head) % JOINED)]
    for view in views:
        joined += [view, bytes(-view.nbytes % JOINED)]
    return b"".join(joined)


def cut(joined: Buffer) -> list[memoryview]:
    """Return views of the parts that `join` joined.

    Raises
    ------
    ValueError
        If the lengths do not add up.
    """
    view = raw(joined)
    try:
        (count,) = _COUNT.unpack_from(view)
        start = _COUNT.size * (1 + count)
        lengths = struct.unpack_from(f"!{count}Q", view, _COUNT.size) if start <= view.nbytes else (start,)
    except struct.error as error:
        raise ValueError("joined parts are cut off") from error
    parts = []
    for length in lengths:
        start += -start % JOINED
        parts.append(view[start : start + length])
        start += length
    if start > view.nbytes:
        raise ValueError("joined parts are cut off")
    return parts
