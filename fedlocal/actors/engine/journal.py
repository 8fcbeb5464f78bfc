"""The journal: what became of every message and every worker, one JSON object a line, as it happens.

=================  =========================================================================================
event              fields beside ``event`` and ``at`` (seconds since ``opened``)
=================  =========================================================================================
``opened``         ``time`` (Unix time), ``version``; message numbers begin anew here
``posted``         ``message``, ``actor``
``acknowledged``   ``message``, ``worker``, ``generation``: an actor began to handle it
``replied``        ``message``
``failed``         ``message``, ``cause``, ``reason``
``retried``        ``message``, ``cause``: its worker died, it goes back to the head of its mailbox
``stale``          ``message``, ``generation``: an answer that nobody waited for was dropped
``died``           ``worker``, ``generation``, ``cause``, ``reason``
``started``        ``worker``, ``generation``
``restarted``      the same, in place of one that died, and ``seconds`` since then
``closed``         ``waiting``: messages that had no result then
=================  =========================================================================================

Lines are collected and written together, at the latest when a batch of messages is done or a worker dies; a
disk that is full or gone ends the journal with a warning, not the run.
"""

import io
import json
import logging
import time
from os import PathLike

logger = logging.getLogger(__name__)

VERSION = 1
LINES = 256  # that wait at most


class Journal:
    """Appends to a journal's file; without a path it writes nothing.

    Parameters
    ----------
    path : path-like, optional
        The file. What is in it stays.

    Raises
    ------
    OSError
        If the file cannot be opened.
    """

    def __init__(self, path: "str | PathLike[str] | None" = None) -> None:
        self._path, self._lines = path, list[str]()
        self._stream = _open(path) if path is not None else None
        self._started_at = time.perf_counter()
        self.note("opened", time=time.time(), version=VERSION)

    # One line each for what happens to every message: json.dumps would take three times as long.

    def posted(self, message: int, actor: int) -> None:
        """Note that a message waits for its actor."""
        if self._stream:
            self._add(f'{{"event":"posted","at":{self._now():.6f},"message":{message},"actor":{actor}}}\n')

    def acknowledged(self, message: int, worker: int, generation: int, at: float | None = None) -> None:
        """Note that an actor began to handle a message, `at` a time of ``time.perf_counter``."""
        if self._stream:
            then = self._now() if at is None else at - self._started_at
            self._add(
                f'{{"event":"acknowledged","at":{then:.6f},"message":{message},"worker":{worker},'
                f'"generation":{generation}}}\n'
            )

    def replied(self, message: int) -> None:
        """Note that a message has its reply."""
        if self._stream:
            self._add(f'{{"event":"replied","at":{self._now():.6f},"message":{message}}}\n')

    def note(self, event: str, **fields: object) -> None:
        """Note an event that is not an everyday one."""
        if self._stream:
            self._add(json.dumps({"event": event, "at": round(self._now(), 6), **fields}) + "\n")

    def flush(self) -> None:
        """Write what waits to be written."""
        if not self._stream or not self._lines:
            return
        data, self._lines = "".join(self._lines).encode(), []
        try:
            while data:
                data = data[self._stream.write(data) :]
        except OSError as error:
            self._stream.close()
            self._stream = None
            logger.warning("%s: nothing more is written (%s); the run goes on", self._path, error)

    def close(self, waiting: int = 0) -> None:
        """Write the rest and close the file; closing twice is allowed."""
        self.note("closed", waiting=waiting)
        self.flush()
        if self._stream:
            self._stream.close()
            self._stream = None

    def _now(self) -> float:
        return time.perf_counter() - self._started_at

    def _add(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) >= LINES:
            self.flush()


def _open(path: "str | PathLike[str]") -> io.FileIO:
    stream = io.FileIO(path, "ab+")
    if end := stream.seek(0, io.SEEK_END):
        stream.seek(end - 1)
        if stream.read(1) != b"\n":  # torn: the session that wrote it was killed
            stream.write(b"\n")
    return stream
