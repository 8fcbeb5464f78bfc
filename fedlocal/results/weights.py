"""Named arrays as a file, and the hash by which two runs are compared."""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.npz import NpzError, plain_arrays
from fedlocal.results.atomic_files import ResultsError, replacing


def weights_hash(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of named arrays, in hexadecimal.

    It covers the name, dtype, shape and C-order little-endian bytes of each array, in the order of the names.
    Each part is preceded by its length, so that no two sets of arrays give the same bytes: ``len(name) name
    len(dtype) dtype ndim dim… nbytes bytes``, where numbers are unsigned, 64 bits, little-endian, text is
    UTF-8, and dtype is NumPy's string such as ``<f4``. Insertion order, strides and the machine's byte order
    do not matter.

    Parameters
    ----------
    arrays : Mapping[str, NDArray]
        Booleans, integers, floats or complex numbers, of any shape.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ResultsError
        If an array has a dtype whose bytes do not determine its values, such as object or long double.

    Examples
    --------
    >>> weights_hash({"bias": np.zeros(2, np.float32)})[:16]
    '120c690fcaf4aea6'
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = portable(name, arrays[name])
        for text in (name.encode(), array.dtype.str.encode()):
            digest.update(_number(len(text)) + text)
        digest.update(b"".join(map(_number, (array.ndim, *array.shape, array.nbytes))))
        digest.update(array.data)
    return digest.hexdigest()


def portable(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array with its values as little-endian bytes, in C order.

    Raises
    ------
    ResultsError
        If its dtype is one whose bytes do not determine its values, such as object or long double.
    """
    array = np.asarray(array)
    # Long double (g, G) has padding of undefined content.
    if array.dtype.kind not in "biufc" or array.dtype.char in "gG":
        msg = f"array {name!r} has dtype {array.dtype}, whose bytes are not portable: use float32"
        raise ResultsError(msg)
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def described(arrays: Mapping[str, NDArray[Any]]) -> list[Any]:
    """Return name, dtype and shape of each array, as manifests say them."""
    return [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def save_arrays(path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays as an uncompressed ``.npz``, atomically; equal arrays give equal files.

    Parameters
    ----------
    path : path-like
        The file to create or replace; its folder must exist. No suffix is added.
    arrays : Mapping[str, NDArray]
        Arrays of any plain dtype.

    Raises
    ------
    ResultsError
        If an array holds Python objects, which only pickle could write, or the file cannot be written.
    """
    # Not np.savez: it stamps the time into the file and takes no array of the name "file".
    with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            if np.asarray(array).dtype.hasobject:
                msg = f"array {name!r} holds Python objects; only plain numbers and text can be saved"
                raise ResultsError(msg)
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def load_arrays(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read the named arrays of an ``.npz``; pickled objects are refused.

    Parameters
    ----------
    path : path-like
        A file that `save_arrays` or ``numpy.savez`` wrote.

    Returns
    -------
    dict of str to NDArray
        In the order of the file.

    Raises
    ------
    ResultsError
        If the file is missing, damaged, or holds something else.
    """
    try:
        return plain_arrays(Path(path))
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror or error}") from error
    except NpzError as error:
        raise ResultsError(str(error)) from error
