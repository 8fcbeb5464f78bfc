"""Columns of Arrow tables as NumPy arrays: a chunk at a time, row by row only where they are pictures."""

from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import check_finite
from fedlocal.data.errors import DataError

GREY = {"1": "L"}
COLOURED = dict.fromkeys(("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"), "RGB")
PLAIN_MODES = GREY | COLOURED
"""Modes of pictures whose stored numbers are no brightness, and what they are converted to."""


def numbers(column: Any, where: str) -> NDArray[Any]:
    """Return a column of n numbers or truth values, or of lists of them that have one length, at any depth.

    Returns
    -------
    ndarray of shape (n, ...)
        In the column's own dtype.

    Raises
    ------
    DataError
        Beginning with `where`, if values are missing, not finite, not numbers, or lists of different lengths.
    """
    lists = column.type.num_fields > 0 or hasattr(column.type, "storage_type")
    chunks = [_dense(chunk, where) for chunk in (column.chunks if lists else [column]) if len(chunk)]
    if len({chunk.shape[1:] for chunk in chunks}) > 1:
        raise DataError(_ragged(where, [chunk.shape[1] for chunk in chunks]))
    if not chunks:
        raise DataError(f"{where}: no rows")
    values = chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
    if values.dtype.kind == "f":
        check_finite(values, where)
    return values


def scalars(column: Any, where: str) -> NDArray[Any]:
    """Return a column of n labels or ids: numbers as they are, text as NumPy's fixed-width strings.

    Raises
    ------
    DataError
        Beginning with `where`, if values are missing, or neither numbers nor text.
    """
    types = import_module("pyarrow").types
    if types.is_string(column.type) or types.is_large_string(column.type):
        _check_complete(column, where)
        coded = column.combine_chunks().dictionary_encode()  # each text becomes a Python string once
        texts: NDArray[Any] = np.array(coded.dictionary.to_pylist(), np.str_)
        codes: NDArray[Any] = coded.indices.to_numpy(zero_copy_only=False)
        labels: NDArray[Any] = texts[codes]
        return labels
    return numbers(column, where)


def pictures(column: Any, where: str) -> NDArray[Any]:
    """Decode a column of n pictures, encoded ``bytes`` or the ``path`` of a file, of one size and mode.

    Returns
    -------
    ndarray of shape (n, height, width) or (n, height, width, channels)
        Mostly uint8; pictures of a palette are RGB, bilevel ones grey.

    Raises
    ------
    DataError
        Beginning with `where`, if a picture is missing, cannot be decoded, or is not like the first one.
    """
    _check_complete(column, where)
    decoded: NDArray[Any] | None = None
    for row, (content, path) in enumerate(_stored(column)):
        pixels = _pixels(content, path, f"{where}, row {row}")
        if decoded is None:
            decoded = np.empty((len(column), *pixels.shape), pixels.dtype)
        if pixels.shape != decoded.shape[1:] or pixels.dtype != decoded.dtype:
            raise DataError(
                f"{where}: the picture in row {row} is {pixels.dtype} {pixels.shape}, that in row 0 "
                f"{decoded.dtype} {decoded.shape[1:]}; bring all to one size and mode with Dataset.map, for "
                "instance by picture.convert('RGB').resize((32, 32)), and save_to_disk"
            )
        decoded[row] = pixels
    if decoded is None:
        raise DataError(f"{where}: no rows")
    return decoded


def _dense(values: Any, where: str) -> NDArray[Any]:
    """Return one chunk, unpacked list by list."""
    arrow = import_module("pyarrow")
    inner = []
    if isinstance(values, arrow.ExtensionArray):
        values = values.storage
    _check_complete(values, where)
    while arrow.types.is_nested(values.type) and not arrow.types.is_struct(values.type):
        inner.append(_length(values, where))
        values = values.flatten()
        _check_complete(values, where)
    if not any(is_kind(values.type) for is_kind in _numeric_kinds()):
        raise DataError(f"{where}: holds {values.type}, expected numbers")
    dense: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return dense.reshape(-1, *inner)


def _numeric_kinds() -> tuple[Any, ...]:
    types = import_module("pyarrow").types
    return types.is_integer, types.is_floating, types.is_boolean


def _length(lists: Any, where: str) -> int:
    lengths = import_module("pyarrow.compute").list_value_length(lists).unique().to_pylist()
    if len(lengths) > 1:
        raise DataError(_ragged(where, lengths))
    return int(lengths[0])


def _ragged(where: str, lengths: list[int]) -> str:
    return (
        f"{where}: holds lists of different lengths, from {min(lengths)} to {max(lengths)}; pad or cut them "
        "to one length with Dataset.map, and save_to_disk"
    )


def _check_complete(values: Any, where: str) -> None:
    if values.null_count:
        raise DataError(
            f"{where}: {values.null_count} of {len(values)} values are missing; fill them in with "
            "Dataset.map or leave the rows out with Dataset.filter, and save_to_disk"
        )


def _stored(column: Any) -> Iterator[tuple[bytes | None, str | None]]:
    for chunk in column.chunks:
        for content, path in zip(chunk.field("bytes"), chunk.field("path"), strict=True):
            yield content.as_py(), path.as_py()


def _pixels(content: bytes | None, path: str | None, where: str) -> NDArray[Any]:
    from PIL import Image

    try:
        with Image.open(path or "" if content is None else BytesIO(content)) as picture:
            plain = PLAIN_MODES.get(picture.mode)
            return np.asarray(picture.convert(plain) if plain else picture)
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's for broken PNG is a SyntaxError
        raise DataError(f"{where}: cannot be decoded as a picture ({error})") from error
