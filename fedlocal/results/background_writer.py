"""Writing files while a run goes on: in a thread of its own, so that no round waits for a disk."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Self

from fedlocal.results.atomic_files import ResultsError

logger = logging.getLogger(__name__)

REST = 10  # times as long as a write took, nothing is written: short rounds have the cores to themselves


class BackgroundWriter:
    """Runs queued writes in a thread, in the order in which they were queued.

    Of several writes of one kind that wait, only the newest is done. Closing it does all that wait. A full
    disk does not stop a run: the first failure of each kind is logged as a warning.

    Parameters
    ----------
    idle : bool
        Whether to write nothing before closing.
    """

    def __init__(self, *, idle: bool = False) -> None:
        self._idle = idle
        self._pending: dict[str, tuple[int, Callable[[], None]]] = {}
        self._warned: set[str] = set()
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="results", daemon=True)
        self._thread.start()

    def write_soon(self, kind: str, number: int, write: Callable[[], None]) -> None:
        """Queue the write of a round's file of some kind behind all that wait, and return at once.

        What it writes must not change any more.
        """
        with self._changed:
            self._pending.pop(kind, None)
            self._pending[kind] = number, write
            self._changed.notify()

    def close(self) -> None:
        """Write what waits, and end the thread; may be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or (self._pending and not self._idle))
                pending, self._pending = self._pending, {}
            if not pending:
                return
            began = time.perf_counter()
            for kind, (number, write) in pending.items():
                self._write(kind, number, write)
            pause = REST * (time.perf_counter() - began)
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=pause)

    def _write(self, kind: str, number: int, write: Callable[[], None]) -> None:
        try:
            write()
        except ResultsError as error:
            if kind not in self._warned:  # str: a log that keeps the error would keep its frames, too
                logger.warning("no %s of round %d: %s; the run goes on", kind, number, str(error))
            self._warned.add(kind)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
