"""What apps print, once, with the name of who prints it: ``client 3: epoch 1, loss 0.25``."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import TextIOBase
from pathlib import Path
from typing import TextIO

import flwr

FLOWERS_OWN = str(Path(flwr.__file__).parent)


class Named(TextIOBase):
    """A text stream that puts a name before each line, and passes whole lines on.

    Parameters
    ----------
    stream : TextIO
        Where lines go.
    name : str
        Who writes here.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self._name, self._begun = stream, name, ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream below."""
        return self._stream.encoding

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return False: a progress bar that goes back to the start of its line would not get there."""
        return False

    def write(self, text: str) -> int:
        """Write the lines that are complete."""
        *lines, self._begun = (self._begun + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if told := "".join(f"{self._name}: {line}\n" for line in lines if line.strip()):
            self._stream.write(told)  # at once, since other processes write there too
            self._stream.flush()
        return len(text)

    def finish(self) -> None:
        """Write what is left of a line."""
        if self._begun:
            self.write("\n")


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put a name before what this process prints, or logs through Flower's logger, in the block."""
    out, err = Named(sys.stdout, name), Named(sys.stderr, name)
    with redirect_stdout(out), redirect_stderr(err), _logging_to(err):
        try:
            yield
        finally:
            out.finish()
            err.finish()


@contextmanager
def _logging_to(stream: Named) -> Iterator[None]:
    """Have Flower's log go where standard error goes now, without what Flower itself has to say there."""
    logger = logging.getLogger("flwr")
    handlers = [each for each in logger.handlers if isinstance(each, logging.StreamHandler)]
    before = [each.stream for each in handlers]
    for handler in handlers:
        handler.stream = stream
    try:
        with apps_alone():
            yield
    finally:
        for handler, old in zip(handlers, before, strict=True):
            handler.stream = old


@contextmanager
def apps_alone() -> Iterator[None]:
    """Leave out what Flower's own code logs, but for errors: ``flwr.common.log`` is there for apps, too."""
    logger = logging.getLogger("flwr")
    logger.addFilter(_from_an_app)
    try:
        yield
    finally:
        logger.removeFilter(_from_an_app)


def _from_an_app(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or not record.pathname.startswith(FLOWERS_OWN)
