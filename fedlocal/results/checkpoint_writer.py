"""Checkpoints while a run goes on."""

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from fedlocal.results.background_writer import BackgroundWriter
from fedlocal.results.checkpoints import Checkpoint, drop_checkpoints, write_checkpoint


class CheckpointWriter:
    """Queues the checkpoints of a run's rounds to be written.

    A checkpoint that comes during another write, or soon after one, waits; of several that wait only the
    newest is written. Whatever the interval, closing writes that of the last round, unless the disk is full:
    then the files that are there stay.

    Parameters
    ----------
    background : BackgroundWriter
        The run's writer.
    run : Path
        The run's folder. Of its checkpoints, later ones than `start` and half-written ones are removed. Its
        histories are forced to disk before each checkpoint: none may tell of rounds that they do not.
    about : mapping of str to Any
        What the run is, as JSON values.
    every : int
        Rounds from one checkpoint to the next, at least 1.
    start : int
        The round from which the run goes on; 0 for a new one.
    """

    def __init__(
        self,
        background: BackgroundWriter,
        run: Path,
        about: Mapping[str, Any],
        every: int = 1,
        start: int = 0,
    ) -> None:
        self._background, self._run, self._about, self._every = background, run, about, every
        self._last: Checkpoint | None = None
        drop_checkpoints(run, after=start)

    def keep(self, checkpoint: Checkpoint) -> None:
        """Take note of where the run stands; its arrays must not change any more. Returns at once."""
        self._last = checkpoint
        if checkpoint.round % self._every == 0:
            self._write_soon(checkpoint)

    def close(self) -> None:
        """Queue the last round's checkpoint, if it is not queued yet."""
        if self._last and self._last.round % self._every:
            self._write_soon(self._last)
        self._last = None

    def _write_soon(self, checkpoint: Checkpoint) -> None:
        self._background.write_soon("checkpoint", checkpoint.round, partial(self._write, checkpoint))

    def _write(self, checkpoint: Checkpoint) -> None:
        for name in ("metrics.csv", ".metrics.csv.copy", "timeline.csv", ".timeline.csv.copy"):
            for path in (self._run / name, *self._run.glob(f"*/{name}")):
                _force_to_disk(path)
        write_checkpoint(self._run, checkpoint, self._about)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _force_to_disk(path: Path) -> None:
    with suppress(OSError), path.open("rb+") as stream:  # whoever writes it tells of failures
        os.fsync(stream.fileno())
