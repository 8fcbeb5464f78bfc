"""Reader of IDX, the file format of MNIST (http://yann.lecun.com/exdb/mnist), plain or compressed by gzip.

A header that does not fit its file is found before memory is taken for what it announces.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import DataError

UNSIGNED_BYTE = 0x08
MOST_INFLATION = 1032  # deflate cannot make more of one byte (RFC 1951)


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, decompressed if it ends in ``.gz``.

    Returns
    -------
    ndarray of uint8
        Of the shape that the header names, which must have so many dimensions: 1 of labels, 3 of images.

    Raises
    ------
    DataError
        If the file cannot be read, is not what it should be, is cut off, or holds more than it says.
    """
    try:
        with _opened(path) as file:
            shape = _shape(path, file.read(4 + 4 * dimensions), dimensions)
            _check_size(path, shape, 4 + 4 * dimensions)
            size = math.prod(shape)
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(content) != size:
        held = "more" if len(content) > size else f"only {len(content)}"
        raise DataError(f"{path}: announces {size} bytes of data, holds {held}; download it again")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _shape(path: Path, header: bytes, dimensions: int) -> tuple[int, ...]:
    magic = UNSIGNED_BYTE << 8 | dimensions
    if len(header) < 4 + 4 * dimensions:
        raise DataError(f"{path}: cut off within its header of {4 + 4 * dimensions} bytes; download it again")
    stored, *shape = struct.unpack(f">{1 + dimensions}I", header)
    if stored != magic:
        raise DataError(
            f"{path}: begins with {stored}, an IDX file of {dimensions} dimension(s) with {magic}; "
            "is it the right file?"
        )
    if 0 in shape:
        raise DataError(f"{path}: announces no data, shape {tuple(shape)}")
    return tuple(shape)


def _check_size(path: Path, shape: tuple[int, ...], header: int) -> None:
    stored, announced = path.stat().st_size, math.prod(shape)
    low, high = (0, stored * MOST_INFLATION) if path.suffix == ".gz" else (stored - header, stored - header)
    if not low <= announced <= high:
        raise DataError(
            f"{path}: announces {announced} bytes of data, but the file has {stored} in all; "
            "download it again"
        )
