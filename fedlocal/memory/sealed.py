"""One block of bytes that is written once, then read by any number of processes and changed by none.

On Linux it is an anonymous, sealed memory file (memfd_create(2)): the kernel refuses every later write.
Elsewhere it is a temporary file mapped for reading. Neither leaves anything behind.
"""

import contextlib
import mmap
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from fedlocal.compat import cpython


class SealedBytes(Protocol):
    """Bytes that only a starting child process may be handed, and that nobody can write."""

    def view(self) -> memoryview:
        """Return the bytes, read-only; valid for as long as the view lives, even after `close`."""
        ...

    def close(self) -> None:
        """Give up this process's hold; may be called twice."""
        ...


class DescriptorBytes:
    """Bytes behind a file descriptor without a name (Linux, macOS).

    Parameters
    ----------
    descriptor : int
        Of a file that cannot be written through it; owned from now on.
    size : int
        Number of bytes, at least 1.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._map: mmap.mmap | None = None

    def view(self) -> memoryview:
        """Return the bytes, read-only."""
        if self._map is None:
            # private: kernels before 6.7 refuse a shared mapping of a sealed file (pages are shared anyway)
            self._map = mmap.mmap(self._descriptor, self._size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        return memoryview(self._map)

    def close(self) -> None:
        """Close the descriptor; the mapping goes with the last view of it."""
        self._map = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __reduce__(self) -> tuple[Callable[..., "DescriptorBytes"], tuple[Any, int]]:
        cpython.check_is_spawning(self)
        return _adopt, (cpython.inheritable(self._descriptor), self._size)


class FileBytes:
    """Bytes in a named temporary file (Windows), deleted when its creator closes.

    Parameters
    ----------
    path : str
        The file.
    size : int
        Number of bytes.
    owner : bool
        Whether `close` deletes the file.
    """

    def __init__(self, path: str, size: int, owner: bool = False) -> None:
        self._path = path
        self._size = size
        self._owner = owner
        self._map: mmap.mmap | None = None

    def view(self) -> memoryview:
        """Return the bytes, read-only."""
        if self._map is None:
            with Path(self._path).open("rb") as file:
                self._map = mmap.mmap(file.fileno(), self._size, access=mmap.ACCESS_READ)
        return memoryview(self._map)

    def close(self) -> None:
        """Let go of the mapping, and delete the file if it is ours."""
        self._map = None
        if self._owner:
            self._owner = False
            with contextlib.suppress(PermissionError):  # Windows keeps a file while a view maps it
                Path(self._path).unlink(missing_ok=True)

    def __reduce__(self) -> tuple[type["FileBytes"], tuple[str, int]]:
        cpython.check_is_spawning(self)
        return FileBytes, (self._path, self._size)


def seal(size: int, write: Callable[[memoryview], None]) -> SealedBytes:
    """Make a block of bytes and close it to writing.

    Parameters
    ----------
    size : int
        Number of bytes, at least 1.
    write : callable
        Fills the writable view it is given, straight in the mapping, and keeps no reference to it.
    """
    if hasattr(os, "memfd_create"):
        return _seal_memory(size, write)
    return _seal_file(size, write)


def _seal_memory(size: int, write: Callable[[memoryview], None]) -> DescriptorBytes:
    import fcntl  # not on Windows

    descriptor = os.memfd_create("fedlocal-shards", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        _fill(descriptor, size, write)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(descriptor)
        raise
    return DescriptorBytes(descriptor, size)


def _seal_file(size: int, write: Callable[[memoryview], None]) -> SealedBytes:
    descriptor, path = tempfile.mkstemp(prefix="fedlocal-shards-")
    try:
        os.ftruncate(descriptor, size)
        _fill(descriptor, size, write)
    except BaseException:
        Path(path).unlink()
        raise
    finally:
        os.close(descriptor)
    if sys.platform == "win32":
        return FileBytes(path, size, owner=True)
    reader = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    Path(path).unlink()
    return DescriptorBytes(reader, size)


def _fill(descriptor: int, size: int, write: Callable[[memoryview], None]) -> None:
    mapping = mmap.mmap(descriptor, size)
    view = memoryview(mapping)
    try:
        write(view)
    finally:
        with contextlib.suppress(BufferError):  # an error's traceback holds views: the mapping goes with it
            view.release()
            mapping.close()


def _adopt(descriptor: Any, size: int) -> DescriptorBytes:
    return DescriptorBytes(descriptor.detach(), size)
