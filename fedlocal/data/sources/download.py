"""The only use of the network: scikit-learn's OpenML client; every failure is a DataError with advice."""

import os
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import DataError
from fedlocal.data.sources.npz_reader import read_npz

TIMEOUT = 30.0  # seconds without an answer


def fetch(what: str, otherwise: str, **options: Any) -> Any:
    """Download a data set from openml.org, or find it in scikit-learn's cache.

    Parameters
    ----------
    what, otherwise : str
        Begins the message; ends it: how else to get the data.
    **options
        Of `sklearn.datasets.fetch_openml`, whose Bunch is returned.

    Raises
    ------
    DataError
        If openml.org cannot be reached, does not answer, or does not have the data set.
    """
    from http.client import HTTPException
    from urllib.error import URLError

    from sklearn.datasets import fetch_openml

    try:
        with _time_limit():
            return fetch_openml(as_frame=False, n_retries=1, **options)
    except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{what}: openml.org cannot be reached ({reason}). {otherwise}") from error
    except OSError as error:
        raise DataError(f"{what}: the download cannot be kept ({error}); set dataset.cache=FOLDER") from error
    except (ValueError, KeyError) as error:
        raise DataError(f"{what}: OpenML cannot provide it: {error}") from error


def fetch_images(
    name: str, otherwise: str, cache: str | None, openml: str, shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Download n images of so many bytes, ``shape``, uint8[n, bytes], and their labels, int64[n]."""
    parser = "auto" if find_spec("pandas") else "liac-arff"  # pandas has a much faster one
    bunch = fetch(name, otherwise, name=openml, version=1, parser=parser, data_home=cache)
    table, labels = np.asarray(bunch.data), np.asarray(bunch.target)
    if table.shape != shape or labels.shape != shape[:1]:
        raise DataError(
            f"{name}: OpenML sent {table.shape} and {labels.shape}, not {shape[0]} images of {shape[1]} bytes"
        )
    return table.astype(np.uint8), labels.astype(np.int64)


def cached_arrays(
    name: str, cache: str | None, make: Callable[[Path], Mapping[str, NDArray[Any]]]
) -> dict[str, NDArray[Any]]:
    """Return arrays that are kept as one npz file: scikit-learn keeps the ARFF text, slow to read again.

    The file is in the folder `cache`, by default scikit-learn's ``data_home``. Where there is none yet,
    `make` returns the arrays, given its path.

    Raises
    ------
    DataError
        If the file cannot be written, or is damaged.
    """
    from sklearn.datasets import get_data_home

    try:
        path = Path(get_data_home(cache)) / "fedlocal" / f"{name}.npz"
        if not path.is_file():
            _write(path, make(path))
    except OSError as error:
        raise DataError(f"{name}: the download cannot be kept ({error}); set dataset.cache=FOLDER") from error
    return read_npz(path, "the kept download is damaged, delete it and run again")


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the file whole or not at all, whoever else writes it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.{os.getpid()}.npz")
    try:
        np.savez(part, allow_pickle=False, **arrays)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _time_limit() -> Iterator[None]:
    """Give up on a silent network, which the client itself does not, and try again without a bare warning."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "A network error occurred while downloading")
            yield
    finally:
        socket.setdefaulttimeout(before)
