"""Checkpoints while a run goes on: written in the background, so that no round waits for a disk."""

import logging
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fedlocal.results.checkpoints import Checkpoint, drop_checkpoints, write_checkpoint
from fedlocal.results.files import ResultsError

logger = logging.getLogger(__name__)

REST = 10  # times as long as a write took, nothing is written: short rounds have the cores to themselves


class CheckpointWriter:
    """Writes checkpoints of the rounds that it is told of, one at a time, in a thread of its own.

    A round that ends while another one's checkpoint is being written, or soon after, waits; of several that
    wait only the newest is written. Whatever the interval, the last round it was told of is written when it
    is closed. A disk that is full does not stop a run: the first failure is logged as a warning, and the
    files that are there stay.

    Parameters
    ----------
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

    def __init__(self, run: Path, about: Mapping[str, Any], every: int = 1, start: int = 0) -> None:
        self._run, self._about, self._every = run, about, every
        self._last: Checkpoint | None = None
        self._pending: Checkpoint | None = None
        self._closed = self._warned = False
        self._changed = threading.Condition()
        drop_checkpoints(run, after=start)
        self._thread = threading.Thread(target=self._write_all, name="checkpoints", daemon=True)
        self._thread.start()

    def keep(self, checkpoint: Checkpoint) -> None:
        """Take note of where the run stands; its arrays must not change any more. Returns at once."""
        self._last = checkpoint
        if checkpoint.round % self._every == 0:
            self._write_soon(checkpoint)

    def close(self) -> None:
        """Write the last round's checkpoint, if that is not done, and end the thread."""
        if self._last and self._last.round % self._every:
            self._write_soon(self._last)
        self._last = None
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _write_soon(self, checkpoint: Checkpoint) -> None:
        with self._changed:
            self._pending = checkpoint
            self._changed.notify()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closed)
                checkpoint, self._pending = self._pending, None
            if checkpoint is None:
                return
            began = time.perf_counter()
            self._write(checkpoint)
            pause = REST * (time.perf_counter() - began)
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=pause)

    def _write(self, checkpoint: Checkpoint) -> None:
        try:
            for name in ("metrics.csv", "timeline.csv"):
                for path in (self._run / name, *self._run.glob(f"*/{name}")):
                    _force_to_disk(path)
            write_checkpoint(self._run, checkpoint, self._about)
        except ResultsError as error:
            if not self._warned:
                logger.warning("no checkpoint of round %d: %s; the run goes on", checkpoint.round, str(error))
            self._warned = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _force_to_disk(path: Path) -> None:
    with suppress(OSError), path.open("rb+") as stream:  # whoever writes it tells of failures
        os.fsync(stream.fileno())
