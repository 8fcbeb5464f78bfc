"""One writer for a run's folder: a lock that the system gives back when its holder dies."""

import errno
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.checkpoints import drop_checkpoints

logger = logging.getLogger(__name__)


class FolderInUseError(ResultsError):
    """Another run writes to the folder."""


class FolderUsedError(ResultsError):
    """The folder holds another run's results, and nobody asked to overwrite them."""


@contextmanager
def locked_folder(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Lock an existing folder against other runs until the block ends or the process does.

    It gets an empty file ``.lock``, which stays. With `wait`, whoever else holds it is waited for.

    Raises
    ------
    FolderInUseError
        If it is held already, by this process or another, and is not waited for.
    ResultsError
        If the folder cannot be written.
    """
    try:
        stream = (folder / ".lock").open("ab")
    except OSError as error:
        raise ResultsError(
            f"results cannot be written to {folder}: {error.strerror or error}; choose another folder"
        ) from error
    with stream:
        try:
            _lock(stream, wait)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
                raise FolderInUseError(f"another run is writing to {folder}: wait for it or end it") from None
            logger.info("%s cannot be locked: %s", folder, error)  # some network file systems have no locks
        yield


FROM_THE_START = (
    "config.yaml",
    "data.json",
    "journal.jsonl",
    "actors.json",
    "availability.png",
    "best.json",
    "best-*.npz",
    "mlflow.json",
    "*.damaged",
    "tensorboard/**/events.out.tfevents.*",
)
"""Files that a resumed run keeps, and that a new run removes since it may not write all of them itself."""


def check_unused(folder: Path) -> None:
    """Raise FolderUsedError if a folder holds a run; the message says what can be done instead."""
    if any((folder / name).exists() for name in ("config.yaml", "metrics.csv", "model.json")):
        raise FolderUsedError(
            f"{folder} holds a run already: overwrite=true removes it, resume={folder} goes on with it, and "
            "hydra.run.dir=FOLDER puts the new one elsewhere"
        )


def clear_folder(folder: Path, *, resuming: bool) -> None:
    """Remove the final files of an earlier run in a folder; unless resuming, also those to resume from."""
    stale = ["summary.json", "model.json", "model.npz", "actor-*.npz", ".*.tmp", "*/.*.tmp"]
    for pattern in stale if resuming else [*stale, *FROM_THE_START]:
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
    if not resuming:
        drop_checkpoints(folder)


if sys.platform == "win32":
    import msvcrt

    def _lock(stream: BinaryIO, wait: bool) -> None:
        stream.seek(0)
        while True:
            try:
                msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            except OSError as error:
                if not wait or error.errno != errno.EDEADLK:  # which says that ten seconds have passed
                    raise
            else:
                return

else:
    import fcntl

    def _lock(stream: BinaryIO, wait: bool) -> None:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
