"""Reader of npz files of plain arrays: no pickles, every failure told in one way."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError  # noqa: N812 - an error by its name

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from fedlocal.data.errors import DataError


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
                with loaded:
                    return dict(loaded)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; {otherwise}") from error
    except (OSError, ValueError, EOFError, BadZipFile, ZlibError) as error:
        raise DataError(f"{path}: cannot be read as plain arrays ({error}); {otherwise}") from error
    raise DataError(f"{path}: is a single array, not an npz file; {otherwise}")
