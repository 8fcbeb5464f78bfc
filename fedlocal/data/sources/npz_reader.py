"""Reader of npz files of plain arrays: no pickles, every failure is a DataError with advice."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fedlocal.data.errors import DataError
from fedlocal.data.npz import NpzError, plain_arrays


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
        return plain_arrays(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; {otherwise}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read as plain arrays ({error}); {otherwise}") from error
    except NpzError as error:
        raise DataError(f"{error}; {otherwise}") from error
