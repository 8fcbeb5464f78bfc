"""What apps print, with the name of the client that prints it: ``client 3: epoch 1, loss 0.25``."""

import logging
import re
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import lru_cache
from io import BufferedIOBase, TextIOBase
from pathlib import Path
from typing import Any, TextIO
from weakref import ref

import flwr

FLOWER_FOLDER = str(Path(flwr.__file__).parent)


class NamedStream(TextIOBase):
    """A text stream that puts a name before each line, and passes whole lines on.

    A line that is written over again and again, as progress bars are, is passed on as it is at last. An empty
    name puts nothing before lines.
    """

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self._stream, self._name, self._unfinished = stream, name, ""
        self.buffer = _Bytes(self)

    def __getattr__(self, attribute: str) -> Any:
        """Return what the stream below has, such as its mode."""
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        return getattr(self._stream, attribute)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream below."""
        return self._stream.encoding

    def fileno(self) -> int:
        """Return the descriptor of the stream below: other programs' lines there have no name before them."""
        return self._stream.fileno()

    def reconfigure(self, **_: Any) -> None:
        """Do nothing: the stream below is not this client's alone."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return False: a progress bar that goes back to the start of its line would not get there."""
        return False

    def write(self, text: str) -> int:
        """Write the lines that are complete."""
        lines = _BELOW.sub("", self._unfinished + text).split("\n")
        bar = len(lines) > 1 and "\r" in lines[-2] and lines[-1][:1] in ("", "\r")  # it may be gone back to
        complete = len(lines) - (2 if bar else 1)
        self._pass_on(lines[:complete])
        self._unfinished = "\n".join(map(_at_last, lines[complete:]))
        return len(text)

    def finish(self, name: str = "") -> None:
        """Write what is left of a line; later lines have this name before them."""
        self._pass_on(self._unfinished.split("\n"))
        self._name, self._unfinished = name, ""

    def _pass_on(self, lines: Sequence[str]) -> None:
        shown = [_at_last(line).strip("\r") for line in lines]
        before = f"{self._name}: " if self._name else ""
        if text := "".join(f"{before}{line}\n" for line in shown if line.strip()):
            self._stream.write(text)  # at once, since other processes write there too
            self._stream.flush()


_BELOW = re.compile(r"\n[^\n]*\x1b\[A")  # a bar below another, from which the writer goes up again


def _at_last(line: str) -> str:
    """Return a line without what was written over."""
    if "\r" not in line:
        return line
    shown = next((part for part in reversed(line.split("\r")) if part), "")
    return f"\r{shown}\r" if line.endswith("\r") else f"\r{shown}"


class _Bytes(BufferedIOBase):
    """The ``buffer`` of a text stream: takes bytes."""

    def __init__(self, text: NamedStream) -> None:
        self._text = ref(text)  # which holds this
        self._decode = getincrementaldecoder("utf-8")("replace").decode

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Write the text that the bytes are."""
        if text := self._text():
            text.write(self._decode(bytes(data)))
        return len(data)


@contextmanager
def named_output(name: str) -> Iterator[None]:
    """Put a name, or nothing, before what this process prints and logs in the block."""
    # The same streams each time: a client may give them to a log handler, which others use after it.
    out, err = _stream_over(sys.stdout), _stream_over(sys.stderr)
    out.finish(name)
    err.finish(name)
    with redirect_stdout(out), redirect_stderr(err), _logging_to(err):
        try:
            yield
        finally:
            out.finish()
            err.finish()


@lru_cache(maxsize=2)
def _stream_over(stream: TextIO) -> NamedStream:
    return NamedStream(stream)


@contextmanager
def _logging_to(stream: NamedStream) -> Iterator[None]:
    """Send Flower's log where standard error goes now, without the lines of Flower's code."""
    logger = logging.getLogger("flwr")
    handlers = [handler for handler in logger.handlers if isinstance(handler, logging.StreamHandler)]
    before = [handler.stream for handler in handlers]
    for handler in handlers:
        handler.stream = stream
    try:
        with without_flower_log():
            yield
    finally:
        for handler, old in zip(handlers, before, strict=True):
            handler.stream = old


@contextmanager
def without_flower_log() -> Iterator[None]:
    """Leave out what Flower's code logs, but for errors: apps log through ``flwr.common.log``, too."""
    logger = logging.getLogger("flwr")
    outermost = _from_an_app not in logger.filters
    logger.addFilter(_from_an_app)
    try:
        yield
    finally:
        if outermost:
            logger.removeFilter(_from_an_app)


def _from_an_app(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or not record.pathname.startswith(FLOWER_FOLDER)
