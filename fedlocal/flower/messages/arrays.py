"""Arrays that Flower can carry without serialising them.

Flower's ``Array`` keeps the bytes of an ``.npy`` file, written and parsed again at every hop: that is most of
what a round through Flower costs. A `LocalArray` keeps the ndarray, and writes those bytes only if asked.
"""

import math
from collections.abc import Mapping
from functools import cached_property, lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, RecordDict
from numpy.typing import NDArray

from fedlocal.data.npz import READERS
from fedlocal.flower.compat.private import NUMPY, record_of

_name = lru_cache(maxsize=64)(str)  # NumPy puts a dtype's name together anew each time
_TRAVELLING = frozenset("biufcSUmM")  # kinds of dtype


class ArrayError(ValueError):
    """An array is not what it claims to be, or cannot travel."""


class LocalArray(Array):
    """A Flower ``Array`` on top of an ndarray that stays where it is.

    Parameters
    ----------
    ndarray : NDArray
        Of any shape, with numbers, text or times. It is not copied.

    Raises
    ------
    ArrayError
        If it holds Python objects or records.
    """

    def __init__(self, ndarray: NDArray[Any]) -> None:
        if ndarray.dtype.kind not in _TRAVELLING:
            travelling(ndarray.dtype)
        fields = self.__dict__  # setting them as attributes of Flower's dataclass costs twice as much
        fields["dtype"], fields["shape"], fields["stype"] = _name(ndarray.dtype), ndarray.shape, NUMPY
        fields["ndarray"] = ndarray

    ndarray: NDArray[Any]

    @cached_property
    def data(self) -> bytes:  # type: ignore[override]
        """The bytes of an ``.npy`` file, as Flower's own arrays hold them."""
        return Array.from_numpy_ndarray(self.ndarray).data

    def numpy(self) -> NDArray[Any]:
        """Return a copy in the same order that is the caller's to change, as Flower's own arrays do."""
        return self.ndarray.copy("A")

    def __reduce__(self) -> tuple[Any, ...]:
        return _local, (self.ndarray,)  # by a function, since the class bears the name of Flower's


LocalArray.__qualname__ = Array.__qualname__  # Flower writes it into what it sends over a network


def _local(ndarray: NDArray[Any]) -> LocalArray:
    return LocalArray(ndarray)


def unwrapped(array: Array) -> NDArray[Any] | None:
    """Return the ndarray behind an array without a copy; None if it is of another kind than NumPy's.

    Raises
    ------
    ArrayError
        If its bytes are not the array that they claim to be, or hold Python objects.
    """
    if isinstance(array, LocalArray):
        return array.ndarray
    return from_npy(array.data) if array.stype == NUMPY else None


def from_npy(data: bytes) -> NDArray[Any]:
    """Return the array in the bytes of an ``.npy`` file: a view of them, not to be written to.

    ``np.load`` would allocate what the header claims, and opens zip archives and pickles if told to. Here
    nothing is allocated, and the header must claim the bytes that are there.

    Raises
    ------
    ArrayError
        If the bytes are anything else, or hold neither numbers, text nor times.
    """
    try:
        return _parsed(data)
    except ArrayError:
        raise
    except Exception as error:  # what NumPy's parser trips over is many things
        raise ArrayError(f"the bytes are no .npy file: {error}") from error


def _parsed(data: bytes) -> NDArray[Any]:
    file = BytesIO(data)
    shape, column_major, dtype = READERS[np.lib.format.read_magic(file)](file)
    present = len(data) - file.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * travelling(dtype).itemsize != present:
        raise ArrayError(f"an .npy file of {present} bytes claims dtype {dtype} and shape {shape}")
    flat = np.frombuffer(data, dtype, offset=file.tell()) if present else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if column_major else "C")


def travelling(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a dtype whose arrays can travel as bare bytes.

    Raises
    ------
    ArrayError
        If it is of Python objects, of records, or of nothing.
    """
    if dtype.kind not in _TRAVELLING or not dtype.itemsize:
        raise ArrayError(f"arrays of dtype {dtype} do not travel: numbers, text and times do")
    return dtype


def ndarrays(record: ArrayRecord) -> dict[str, NDArray[Any]]:
    """Return a record's arrays by name: not copied, and not to be written to.

    Raises
    ------
    ArrayError
        If an array is not of NumPy's kind, or its bytes are not what they claim.
    """
    return {
        name: array.ndarray if isinstance(array, LocalArray) else _of_numpy(name, array)
        for name, array in record.items()
    }


def _of_numpy(name: str, array: Array) -> NDArray[Any]:
    values = unwrapped(array)
    if values is None:
        raise ArrayError(f"array {name!r} is of kind {array.stype!r}, not NumPy's")
    return values


def array_record(arrays: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    """Return a record of the same arrays, not copied."""
    # ArrayRecord({...}) would make plain arrays of them.
    return record_of(ArrayRecord, {name: LocalArray(array) for name, array in arrays.items()})


def arrays_of(content: RecordDict) -> dict[str, NDArray[Any]]:
    """Return the arrays of a reply's first array record, not copied."""
    return ndarrays(next(record for record in content.values() if isinstance(record, ArrayRecord)))
