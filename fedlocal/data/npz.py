"""Reader of npz files of plain arrays, which may be damaged or a stranger's: no pickles."""

import math
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812 - an error by its name

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

UNREADABLE = (ValueError, TypeError, KeyError, EOFError, RuntimeError, BadZipFile, ZlibError)
"""Errors of NumPy and zipfile for a file that holds something else than plain arrays."""

READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def plain_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """Return all arrays of an npz file, in their order; None if it is a single array.

    Raises
    ------
    OSError, MemoryError, *UNREADABLE
        If the file cannot be opened, does not fit into memory, or holds something else.
    """
    with path.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        if not isinstance(loaded, NpzFile):
            return None
        with loaded, ZipFile(file) as archive:
            _check_members(archive)
            return dict(loaded)


def _check_members(archive: ZipFile) -> None:
    """Refuse what is no array, or announces more than there is, before memory is taken for it."""
    for member in archive.infolist():
        if not member.filename.endswith(".npy"):
            raise ValueError(f"its member {member.filename!r} is no array")
        with archive.open(member) as stream:
            read = READERS.get(np.lib.format.read_magic(stream))
            if read is None:  # of structured arrays alone, which NumPy reads
                continue
            shape, _, dtype = read(stream)
            announced, held = math.prod(shape) * dtype.itemsize, member.file_size - stream.tell()
            if not dtype.hasobject and announced != held:
                raise ValueError(
                    f"{member.filename} announces {announced} bytes, shape {shape}, but holds {held}"
                )
