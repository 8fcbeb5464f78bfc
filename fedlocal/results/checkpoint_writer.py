"""Checkpoints while a run goes on."""

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from fedlocal.results.background_writer import Background
from fedlocal.results.checkpoints import Checkpoint, drop_checkpoints, write_checkpoint


class CheckpointWriter:
    """Has checkpoints written of the rounds that it is told of.

    A round that ends while something else is being written, or soon after, waits; of several that wait only
    the newest is written. Whatever the interval, the last round it was told of is written when it is closed,
    unless the disk is full: then the files that are there stay.

    Parameters
    ----------
    background : Background
        What writes.
    run : Path
        The run's folder. Of its checkpoints, later ones than `start` and half-written ones are removed. Its
        histories are forced to disk before each checkpoint: none may tell of rounds that they do not.
    about : mapping of str to Any
        What the run is, in JSON's words.
    every : int
        Rounds from one checkpoint to the next, at least 1.
    start : int
        The round from which the run goes on; 0 for a new one.
    """

    def __init__(
        self, background: Background, run: Path, about: Mapping[str, Any], every: int = 1, start: int = 0
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
        """Have the last round's checkpoint written, if that is not done."""
        if self._last and self._last.round % self._every:
            self._write_soon(self._last)
        self._last = None

    def _write_soon(self, checkpoint: Checkpoint) -> None:
        self._background.soon("checkpoint", checkpoint.round, partial(self._write, checkpoint))

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
