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
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray

from fedlocal.flower.private import NUMPY, record_of

_name = lru_cache(maxsize=64)(str)  # NumPy puts a dtype's name together anew each time


class LocalArray(Array):
    """A Flower ``Array`` on top of an ndarray that stays where it is.

    Parameters
    ----------
    ndarray : NDArray
        Of any shape and of a dtype without Python objects. It is not copied.
    """

    def __init__(self, ndarray: NDArray[Any]) -> None:
        if ndarray.dtype.hasobject:
            raise TypeError(f"arrays of Python objects cannot travel, got dtype {ndarray.dtype}")
        own = self.__dict__  # one by one, by their names in Flower's dataclass, costs twice as much
        own["dtype"], own["shape"], own["stype"] = _name(ndarray.dtype), ndarray.shape, NUMPY
        own["ndarray"] = ndarray

    ndarray: NDArray[Any]

    @cached_property
    def data(self) -> bytes:  # type: ignore[override]
        """The bytes of an ``.npy`` file, as Flower's own arrays hold them."""
        return Array.from_numpy_ndarray(self.ndarray).data

    def numpy(self) -> NDArray[Any]:
        """Return a copy that is the caller's to change, as Flower's own arrays do."""
        return self.ndarray.copy()


def unwrapped(array: Array) -> NDArray[Any] | None:
    """Return the ndarray behind an array without a copy; None if there is none that may travel.

    Apps make Flower's own arrays, which hold the bytes of an ``.npy`` file: what lies behind its header is
    the ndarray.
    """
    if isinstance(array, LocalArray):
        return array.ndarray
    if array.stype != NUMPY:
        return None
    file = BytesIO(array.data)
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, column_major, dtype = read(file)
        if dtype.hasobject:
            return None
        flat = np.frombuffer(array.data, dtype, math.prod(shape), file.tell())
    except ValueError:  # whoever reads it will say so
        return None
    return flat.reshape(shape, order="F" if column_major else "C")


def twin(array: Array) -> Array:
    """Return another array with the same data behind it."""
    other = type(array).__new__(type(array))
    other.__dict__.update(array.__dict__)
    return other


def ndarrays(record: ArrayRecord) -> dict[str, NDArray[Any]]:
    """Return a record's arrays by name: not copied, and not to be written to, where they are local."""
    return {
        name: array.ndarray if isinstance(array, LocalArray) else array.numpy()
        for name, array in record.items()
    }


def array_record(arrays: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    """Return a record of the same arrays, not copied."""
    # ArrayRecord({...}) would make plain arrays of them.
    return record_of(ArrayRecord, {name: LocalArray(array) for name, array in arrays.items()})
