"""Writing of result files such that a reader never meets half a file.

A file is written under a temporary name in the folder it belongs to, forced to disk, and renamed over the old
one: after a crash or on a full disk there is the old file or the new one, nothing between.
"""

import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MOST_BYTES = 1 << 30
"""Size of a result file that is read whole: a history of a million replies has a fifth of it."""

MOST_LEVELS = 64
"""Nesting of a configuration that is read."""


_SEAL = re.compile(rb'(?:, "|# )sha256"?: "?(\w{64})(?:"})?\s*\Z')


class ResultsError(ValueError):
    """A result that cannot be written, or a file that does not hold the result it should."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends without an error.

    Parameters
    ----------
    path : path-like
        The file to create or replace. Its folder must exist.

    Yields
    ------
    BinaryIO
        A binary stream. If the block raises, what was written is removed and `path` is left as it was.

    Raises
    ------
    ResultsError
        If the file cannot be written, because of the folder or the disk.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as stream:  # not tempfile: its files are readable by their owner alone
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}"
        raise ResultsError(msg) from error
    finally:
        with suppress(OSError):  # gone already when all went well
            temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """Force a folder's names to disk, where the system lets us open it."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def read_json(path: Path) -> Any:
    """Read a JSON file, which may be damaged or a stranger's.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ResultsError
        If it cannot be read, is too large or too deep, is no JSON, or has changed since it was sealed.
    """
    content = _content(path)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path.name} is damaged: {type(error).__name__}: {error}") from error


def sound_yaml(path: Path) -> str:
    """Read a YAML file as text, which may be damaged or a stranger's, and check that it is safe to compose.

    References within it (``*name``) are refused: a few lines of them stand for more than a memory holds, and
    no configuration that was written by a program has any.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ResultsError
        If it cannot be read, is too large or too deep, refers to itself, is no YAML, or has changed since it
        was sealed.
    """
    import yaml

    content, levels = _content(path), 0
    try:
        for event in yaml.parse(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            levels += isinstance(event, yaml.CollectionStartEvent)
            levels -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                raise ResultsError(f"{path.name} has an alias (*{event.anchor}), which is not read")
            if levels > MOST_LEVELS:
                raise ResultsError(f"{path.name} has more than {MOST_LEVELS} levels, which are not read")
        return content.decode()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ResultsError(f"{path.name} is damaged: {' '.join(str(error).split())}") from error


def _content(path: Path) -> bytes:
    try:
        if not path.is_file() and path.exists():  # a pipe would be waited for
            raise ResultsError(f"{path.name} is not a file")
        if path.stat().st_size > MOST_BYTES:
            raise ResultsError(f"{path.name} has more than {MOST_BYTES} bytes, which are not read")
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ResultsError(f"{path.name} cannot be read: {error.strerror or error}") from error
    if (match := _SEAL.search(content)) and _sha256(content[: match.start()]) != match[1]:
        way_out = " (if you edited it, delete its last line)" if match[0].startswith(b"#") else ""
        raise ResultsError(f"{path.name} is damaged: its SHA-256 is not that of its content{way_out}")
    return content


def write_yaml(path: Path, text: str) -> None:
    """Write YAML atomically, with a last comment that holds the SHA-256 of what is before it.

    Raises
    ------
    ResultsError
        If the file cannot be written.
    """
    content = text.encode()
    with replacing(path) as stream:
        stream.write(content + b"# sha256: %s\n" % _sha256(content))


def write_json(
    path: str | os.PathLike[str], value: Any, *, indent: int | None = 2, seal: bool = False
) -> None:
    """Write a value as strict JSON, atomically.

    JSON has no word for numbers that are not finite; they are written as the strings ``"nan"``, ``"inf"`` and
    ``"-inf"``, which ``float`` reads back.

    Parameters
    ----------
    path : path-like
        The file to create or replace.
    value : Any
        Mappings, sequences, strings, numbers, booleans, None, paths, and NumPy's scalars and arrays.
    indent : int or None, default 2
        Spaces a level; None writes one line.
    seal : bool, default False
        Whether a mapping ends in ``sha256``, of all that comes before, by which `read_json` finds damage.

    Raises
    ------
    ResultsError
        If `value` holds something that JSON cannot say, or the file cannot be written.
    """
    text = json.dumps(_strict(value), indent=indent, allow_nan=False, ensure_ascii=False).encode()
    if seal:
        text = text.removesuffix(b"}").rstrip()
        text += b', "sha256": "%s"}' % _sha256(text)
    with replacing(path) as stream:
        stream.write(text + b"\n")


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _strict(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return float(value) if math.isfinite(value) else str(float(value))
        case Mapping():
            return {str(key): _strict(item) for key, item in value.items()}
        case list() | tuple():
            return [_strict(item) for item in value]
        case np.ndarray() | np.generic():
            return _strict(value.tolist())
        case Path():
            return str(value)
    kind = type(value).__name__
    msg = f"{value!r} ({kind}) cannot be written as JSON: give numbers, strings, lists or mappings"
    raise ResultsError(msg)
