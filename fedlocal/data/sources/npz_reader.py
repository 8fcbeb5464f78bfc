"""Reader of npz files of plain arrays: no pickles, every failure is a DataError with advice."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fedlocal.data.errors import DataError
from fedlocal.data.npz import UNREADABLE, plain_arrays


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
        arrays = plain_arrays(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; {otherwise}") from error
    except MemoryError as error:
        raise DataError(f"{path}: does not fit into memory ({error})") from error
    except (OSError, *UNREADABLE) as error:
        raise DataError(f"{path}: cannot be read as plain arrays ({error}); {otherwise}") from error
    if arrays is None:
        raise DataError(f"{path}: is a single array, not an npz file; {otherwise}")
    return arrays
