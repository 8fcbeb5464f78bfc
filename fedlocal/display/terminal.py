"""Progress bars on a terminal, one set at a time, and a stream that outlives its reader."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress


class ForgivingStream:
    """A text stream that drops what is written once its reader is gone, instead of ending the run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write a text, if somebody reads it."""
        try:
            if self._stream is not None:
                self._stream.write(text)
        except (OSError, ValueError):  # ValueError: closed, or a character that its encoding lacks
            self._stream = None
        return len(text)

    def flush(self) -> None:
        """Flush the stream, if somebody reads it."""
        try:
            if self._stream is not None:
                self._stream.flush()
        except (OSError, ValueError):
            self._stream = None

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:
            return False

    @property
    def has_bars(self) -> bool:
        """Whether it is a terminal on which a line can be drawn again."""
        return self.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


@dataclass(frozen=True)
class Bars:
    """The bars on the terminal.

    Parameters
    ----------
    drawn : Progress
        Rich's display of them.
    around : bool
        Whether they are those of a sweep, in which a run's bar comes and goes.
    """

    drawn: "Progress"
    around: bool = False


_now: list[Bars] = []  # at most one: there is one terminal


@contextmanager
def bars(stream: ForgivingStream, *, stay: bool = True) -> Iterator[Bars]:
    """Draw bars until the block ends; within such a block, yield the bars that are drawn already.

    Parameters
    ----------
    stream : ForgivingStream
        A terminal.
    stay : bool
        Whether the bars stay on the screen afterwards.
    """
    if _now:
        with _logs_above():
            yield Bars(_now[0].drawn, around=True)
        return
    with _new_bars(stream, stay) as drawn, _logs_above():
        _now.append(Bars(drawn))
        try:
            yield _now[0]
        finally:
            _now.clear()


def are_drawn() -> bool:
    """Tell whether there are bars on the terminal now."""
    return bool(_now)


def _new_bars(stream: ForgivingStream, stay: bool) -> "Progress":
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=None),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[scores]}", markup=False),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(compact=True),
        progress.TextColumn("left"),
    )
    console = Console(file=stream)  # type: ignore[arg-type]  # rich asks no more of a file than this one has
    return progress.Progress(
        *columns,
        console=console,
        expand=True,
        redirect_stdout=False,
        speed_estimate_period=3600,
        transient=not stay,
    )


@contextmanager
def _logs_above() -> Iterator[None]:
    """Let log lines that go to the terminal pass through the bar, which would be torn by them."""
    terminals = [
        stream for stream in (sys.__stderr__, sys.__stdout__) if stream is not None and stream.isatty()
    ]
    handlers = [
        handler for handler in logging.getLogger().handlers if isinstance(handler, logging.StreamHandler)
    ]
    before = [(handler, handler.stream) for handler in handlers if handler.stream in terminals]
    for handler, _ in before:
        handler.setStream(sys.stderr)  # by now rich's, which prints above the bar
    try:
        yield
    finally:
        for handler, stream in before:
            handler.setStream(stream)
