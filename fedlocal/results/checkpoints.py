"""Checkpoints: where a run stood after a round, as files that are whole or refused.

A file is, one after another, `MAGIC`, the SHA-256 of all that follows (32 bytes), the length of the manifest
(8 bytes, little-endian), the manifest, and the bytes of the arrays, little-endian, in C order. The manifest
is strict JSON: ``version``, ``round``, ``about`` (what the run is, so that no other run goes on from the
file) and ``arrays``, a list of name, dtype and shape. Nothing in a file is ever executed.
"""

import hashlib
import json
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.results.atomic_files import ResultsError, replacing
from fedlocal.results.weights import described, portable

logger = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]
Renamed = Callable[[Any], Mapping[str, Any]]

MAGIC = b"fedlocal checkpoint\n"
VERSION = 1
FOLDER = "checkpoints"  # in the run's
DURATION = "run/duration"  # the name of an array: seconds from the start of the run, pauses left out
KEPT = 2  # the last one, and one more in case it is damaged

_DTYPE = re.compile(r"[<|](b1|[iu][1248]|f[248]|c8|c16)")
_NAME = re.compile(r"round-(\d{6,})\.ckpt")


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stood after a round.

    Parameters
    ----------
    round : int
        The last round that was done.
    arrays : mapping of str to NDArray
        Booleans, integers, floats or complex numbers of any shape. The names are paths: what belongs together
        has the same beginning, up to a slash.
    """

    round: int
    arrays: Arrays

    def part(self, name: str) -> "Checkpoint":
        """Return a checkpoint of the arrays below ``name/``, by the rest of their names."""
        return Checkpoint(self.round, below(name, self.arrays))


def below(name: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with ``name/``, by the rest of their names."""
    start = f"{name}/"
    return {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}


def joined(parts: Mapping[str, Arrays]) -> dict[str, NDArray[Any]]:
    """Return the arrays of several parts, each name behind that of its part: `below` undoes it."""
    return {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}


def write_checkpoint(run: Path, checkpoint: Checkpoint, about: Mapping[str, Any]) -> None:
    """Write a checkpoint aside, force it to disk, let it take its place, and remove all but the last two.

    Parameters
    ----------
    run : Path
        The run's folder; created where it is missing, because somebody deleted it.
    checkpoint : Checkpoint
        The checkpoint.
    about : mapping of str to Any
        What the run is, as JSON values: only a run with the same reads the checkpoint.

    Raises
    ------
    ResultsError
        If it cannot be written; the ones before are still there.
    """
    arrays = {name: portable(name, array) for name, array in checkpoint.arrays.items()}
    content = {"version": VERSION, "round": checkpoint.round, "about": about, "arrays": described(arrays)}
    manifest = json.dumps(content, allow_nan=False).encode()
    parts: list[bytes | memoryview] = [
        len(manifest).to_bytes(8, "little"),
        manifest,
        *(_bytes(array) for array in arrays.values()),
    ]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    folder = run / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"cannot create {folder}: {error.strerror or error}") from error
    with replacing(folder / f"round-{checkpoint.round:06}.ckpt") as stream:
        stream.writelines([MAGIC, digest.digest(), *parts])
    for _, path in list(_newest_first(folder))[KEPT:]:
        with suppress(OSError):
            path.unlink()


def read_checkpoint(path: Path, about: Mapping[str, Any], renamed: Renamed = dict) -> Checkpoint:
    """Read a checkpoint and verify all of it.

    Parameters
    ----------
    path : Path
        The file.
    about : mapping of str to Any
        What the run is that is to be resumed from it.
    renamed : callable
        Returns a file's `about` with the names of today.

    Raises
    ------
    ResultsError
        With the reason, if the file is missing, damaged, of another version or of another run.
    """
    try:
        with path.open("rb") as stream:
            return _read(stream, path.stat().st_size, about, renamed)
    except OSError as error:
        raise ResultsError(f"it cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ResultsError):
            raise
        raise ResultsError(f"its manifest is not one of a checkpoint: {error}") from error


def newest_checkpoint(run: Path, about: Mapping[str, Any], renamed: Renamed = dict) -> Checkpoint | None:
    """Return the newest checkpoint that is sound; None if there are no files of checkpoints at all.

    Each file that is refused is logged with the reason. `read_checkpoint` explains the parameters.

    Raises
    ------
    ResultsError
        If there are some and none is sound: it names each, and why.
    """
    refused = []
    for _, path in _newest_first(run / FOLDER):
        try:
            return read_checkpoint(path, about, renamed)
        except ResultsError as error:
            logger.warning("checkpoint %s is refused: %s", path, str(error))  # no traceback with frames
            refused.append(f"{path}: {error}")
    if refused:
        raise ResultsError("no checkpoint can be used to go on from:\n" + "\n".join(refused))
    return None


def drop_checkpoints(run: Path, after: int = -1) -> None:
    """Remove the checkpoints of later rounds, and what a killed run left half written."""
    stale = [path for number, path in _newest_first(run / FOLDER) if number > after]
    for path in [*stale, *(run / FOLDER).glob(".*.tmp")]:
        path.unlink(missing_ok=True)


def _newest_first(folder: Path) -> Iterator[tuple[int, Path]]:
    try:
        paths = list(folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise ResultsError(f"cannot read {folder}: {error.strerror or error}") from error
    matches = ((match, path) for path in paths if (match := _NAME.fullmatch(path.name)))
    yield from sorted(((int(match[1]), path) for match, path in matches), reverse=True)


def _bytes(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _read(stream: BufferedReader, size: int, about: Mapping[str, Any], renamed: Renamed) -> Checkpoint:
    if stream.read(len(MAGIC)) != MAGIC:
        raise ResultsError("it is not a checkpoint" if size else "it is empty")
    expected, body = stream.read(32), stream.tell()
    if hashlib.file_digest(stream, "sha256").digest() != expected:
        raise ResultsError("it is damaged: its SHA-256 is not that of its content")
    stream.seek(body)
    length = int.from_bytes(stream.read(8), "little")
    if length > size:
        raise ResultsError("its manifest is longer than the file")
    manifest = json.loads(stream.read(length), parse_constant=_no_constant)
    if manifest["version"] != VERSION:
        raise ResultsError(f"it has format version {manifest['version']!r}; this fedlocal reads {VERSION}")
    _check_about(renamed(manifest["about"]), about)
    return Checkpoint(int(manifest["round"]), _read_arrays(stream, manifest["arrays"], size - stream.tell()))


def _check_about(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key, value in json.loads(json.dumps(wanted)).items():
        if stored.get(key, value) != value:  # an earlier fedlocal did not say all of it
            raise ResultsError(f"it is of another run: its {key} is {stored.get(key)!r}, not {value!r}")


def _read_arrays(stream: BufferedReader, entries: Any, size: int) -> dict[str, NDArray[Any]]:
    for name, dtype, shape in entries:
        if not isinstance(name, str) or not _DTYPE.fullmatch(dtype):
            raise ResultsError(f"array {name!r} has dtype {dtype!r}, which checkpoints cannot hold")
        if not all(type(length) is int and length >= 0 for length in shape):
            raise ResultsError(f"array {name!r} has shape {shape!r}")
    claimed = sum(math.prod(shape) * np.dtype(dtype).itemsize for _, dtype, shape in entries)
    if claimed != size:  # before any memory is taken
        raise ResultsError(f"its manifest claims {claimed} bytes of arrays; {size} are there")
    arrays = {}
    for name, dtype, shape in entries:
        array = np.empty(shape, dtype)
        stream.readinto(_bytes(array))
        arrays[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return arrays


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not strict JSON")
