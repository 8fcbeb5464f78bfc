"""Reader of npz files of plain arrays, which may be damaged or a stranger's: no pickles."""

import math
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812 - an error by its name

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

# of NumPy and zipfile for a file that holds something else than plain arrays
UNREADABLE = (ValueError, TypeError, KeyError, EOFError, RuntimeError, BadZipFile, ZlibError)

READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class NpzError(ValueError):
    """A file is no npz file of plain arrays."""


def plain_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return all arrays of an npz file, in their order.

    Raises
    ------
    OSError, NpzError
        If the file cannot be opened; if it is damaged, holds something else, or does not fit into memory.
    """
    with path.open("rb") as file:
        try:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, NpzFile):
                with loaded, ZipFile(file) as archive:
                    _check_members(archive)
                    return dict(loaded)
        except MemoryError as error:
            raise NpzError(f"{path}: does not fit into memory ({error})") from error
        except UNREADABLE as error:
            raise NpzError(f"{path}: cannot be read as plain arrays ({error})") from error
    raise NpzError(f"{path}: is a single array, not an npz file")


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
