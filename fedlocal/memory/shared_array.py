"""An array in memory that a system's owner and its workers share, for as long as messages hand it over.

Actors share no memory: who may write where, and when, must follow from messages. A worker that was killed may
leave half of what it wrote, so what it was to write is written anew when its message is tried again.
On Linux the memory is an anonymous file; elsewhere a temporary file. Neither leaves anything behind.
"""

import contextlib
import math
import mmap
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fedlocal.compat import cpython
from fedlocal.memory.buffers import HAS_MEMFD


class SharedArray:
    """An array of zeros at first, which a process that is given it as it starts has too.

    Parameters
    ----------
    shape : tuple of int
        At least one element. What is never written takes no memory.
    dtype : dtype-like
        Of the elements.

    Attributes
    ----------
    array : NDArray
        The array itself; it stays valid for as long as it is used, also after `close`.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._path: str | None = None
        self._file, self._path = _new_file(math.prod(shape) * self._dtype.itemsize)
        self._owner = True
        self.array = self._map()

    def close(self) -> None:
        """Give up this process's hold on the file; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._path and self._owner:
            with contextlib.suppress(PermissionError):  # Windows keeps a file while it is mapped
                Path(self._path).unlink(missing_ok=True)

    def _map(self) -> NDArray[Any]:
        mapping = mmap.mmap(self._file, math.prod(self._shape) * self._dtype.itemsize)
        return np.frombuffer(mapping, self._dtype).reshape(self._shape)

    def __getstate__(self) -> dict[str, Any]:
        cpython.check_is_spawning(self)
        file = None if self._path else cpython.inheritable(self._file)
        return {"_shape": self._shape, "_dtype": self._dtype, "_path": self._path, "_file": file}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _owner=False)
        self._file = os.open(self._path, os.O_RDWR) if self._path else state["_file"].detach()
        self.array = self._map()
        os.close(self._file)
        self._file = -1

    def __del__(self) -> None:
        self.close()


def _new_file(size: int) -> tuple[int, str | None]:
    """Return a file of this size, and its name where it must have one to be shared."""
    if HAS_MEMFD:
        file, path = os.memfd_create("fedlocal-shared", os.MFD_CLOEXEC), None
    else:
        file, path = tempfile.mkstemp(prefix="fedlocal-shared-")
        if sys.platform != "win32":
            Path(path).unlink()
            path = None
    try:
        os.ftruncate(file, size)
    except BaseException:
        os.close(file)
        raise
    return file, path
