"""Reader of npz files of plain arrays: no pickles, every failure told in one way."""

import math
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812 - an error by its name

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from fedlocal.data.errors import DataError

READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: Path, otherwise: str) -> dict[str, NDArray[Any]]:
    """Read all arrays of an npz file.

    Parameters
    ----------
    path : Path
        The file, as `numpy.savez` writes it.
    otherwise : str
        Ends the message: what to do about it.

    Raises
    ------
    DataError
        If the file is missing, damaged, holds pickled objects, or is something else.
    """
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, NpzFile):
                with loaded, ZipFile(file) as archive:
                    _check_members(archive)
                    return dict(loaded)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; {otherwise}") from error
    except MemoryError as error:
        raise DataError(f"{path}: does not fit into memory ({error})") from error
    except (OSError, ValueError, EOFError, RuntimeError, BadZipFile, ZlibError) as error:
        raise DataError(f"{path}: cannot be read as plain arrays ({error}); {otherwise}") from error
    raise DataError(f"{path}: is a single array, not an npz file; {otherwise}")


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
