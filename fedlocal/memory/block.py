"""Blocks: memory without a name, which processes map and nobody has to clean up after.

On Linux a block is an anonymous file (memfd_create(2)), elsewhere a temporary file whose name goes as soon as
the system allows. All shared memory of fedlocal is made here.
"""

import mmap
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from fedlocal.compat import cpython

HAS_MEMFD = sys.platform == "linux" and hasattr(os, "memfd_create")


class Block:
    """Memory that several processes map: zeros at first, and gone with the last mapping.

    A process that is being started is handed a block by pickling, one that runs by the descriptor. `create`
    makes blocks.

    Parameters
    ----------
    size : int
        Bytes, at least 1.
    descriptor : int
        The file's, which the block closes.
    sealed : bool
        Whether nobody can write.
    """

    def __init__(self, size: int, descriptor: int, *, sealed: bool = False) -> None:
        self.size, self.descriptor, self._sealed = size, descriptor, sealed
        self._path: str | None = None  # of a file that has to keep its name

    @staticmethod
    def create(size: int, write: "Callable[[Block], None] | None" = None) -> "Block":
        """Make a block.

        Parameters
        ----------
        size : int
            Bytes, at least 1. What is never written takes no memory.
        write : callable, optional
            Fills the block, and keeps no mapping of it; afterwards nobody can write: on Linux the kernel
            refuses, elsewhere the file is open for reading alone.

        Raises
        ------
        OSError
            If the system has no descriptor or no memory for it.
        """
        if HAS_MEMFD:
            block = Block(size, os.memfd_create("fedlocal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
        else:
            descriptor, path = tempfile.mkstemp(prefix="fedlocal-")
            block = Block(size, descriptor)
            block._path = path
        try:
            os.ftruncate(block.descriptor, size)
            if write:
                write(block)
                block._seal()
            if block._path and sys.platform != "win32":
                block._unlink()
        except BaseException:
            block.close()
            raise
        return block

    @staticmethod
    def for_running(size: int, write: "Callable[[Block], None] | None" = None) -> "Block | None":
        """Make a block for processes that run already; None where there are no anonymous files."""
        return Block.create(size, write) if HAS_MEMFD else None

    def map(self) -> mmap.mmap:
        """Map the block, read-only where it is sealed; the memory is there as long as the mapping."""
        if not self._sealed:
            return mmap.mmap(self.descriptor, self.size)
        if sys.platform == "win32":
            return mmap.mmap(self.descriptor, self.size, access=mmap.ACCESS_READ)
        # private: kernels before 6.7 refuse a shared mapping of a sealed file (pages are shared anyway)
        return mmap.mmap(self.descriptor, self.size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)

    def close(self) -> None:
        """Close the file, mappings stay; may be called twice."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        if self._path:
            with suppress(PermissionError):  # Windows keeps a file that is mapped
                self._unlink()

    def _seal(self) -> None:
        self._sealed = True
        if self._path:
            reader = os.open(self._path, os.O_RDONLY)
            os.close(self.descriptor)
            self.descriptor = reader
        else:
            import fcntl  # not on Windows

            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, seals)

    def _unlink(self) -> None:
        if self._path:
            Path(self._path).unlink(missing_ok=True)
            self._path = None

    def __reduce__(self) -> tuple[Callable[..., "Block"], tuple[Any, int, bool]]:
        cpython.check_is_spawning(self)
        return _handed_over, (self._path or cpython.inheritable(self.descriptor), self.size, self._sealed)

    __del__ = close


def _handed_over(file: Any, size: int, sealed: bool) -> Block:
    if isinstance(file, str):
        return Block(size, os.open(file, os.O_RDONLY if sealed else os.O_RDWR), sealed=sealed)
    return Block(size, file.detach(), sealed=sealed)
