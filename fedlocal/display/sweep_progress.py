"""What a person sees while a sweep goes on: a line for each run that is done and, on a terminal, a bar."""

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from fedlocal.display.progress import Mode
from fedlocal.display.table import marked_ratio
from fedlocal.display.terminal import ForgivingStream, bars
from fedlocal.results.formatting import duration, fixed
from fedlocal.results.runs import SweepRow

if TYPE_CHECKING:
    from rich.progress import Progress


class ShowSweep(Protocol):
    """The display that `sweep_progress` yields."""

    def started(self, run: str, overrides: Mapping[str, str]) -> None:
        """Show which run is next."""

    def done(self, row: SweepRow) -> None:
        """Show how a run went."""


@contextmanager
def sweep_progress(
    total: int | None, swept: Collection[str] = (), mode: Mode = "auto", stream: TextIO | None = None
) -> Iterator[ShowSweep]:
    """Show the progress of a sweep until the block ends.

    Parameters
    ----------
    total : int or None
        How many runs there are; None if only the sweeper knows.
    swept : collection of str
        The options that differ between the runs; without any, all are shown.
    mode : {"auto", "plain", "off"}
        As in `fedlocal.display.progress`, whose bar of a run is drawn below that of the sweep.
    stream : TextIO or None
        Where to write; None means standard error.
    """
    forgiving = ForgivingStream(stream or sys.stderr)
    if mode == "off":
        yield _Silent()
    elif mode == "auto" and forgiving.has_bars:
        with bars(forgiving, stay=False) as terminal_bars:
            yield _Bar(terminal_bars.drawn, total, swept)
    else:
        yield _Lines(forgiving, total, swept)


class _Silent:
    def started(self, run: str, overrides: Mapping[str, str]) -> None:
        """Show nothing."""

    def done(self, row: SweepRow) -> None:
        """Show nothing."""


class _Lines:
    """Lines for a log file or a pipe."""

    def __init__(self, stream: ForgivingStream, total: int | None, swept: Collection[str]) -> None:
        self._stream, self._total, self._swept = stream, total, swept
        self._started = 0

    def started(self, run: str, overrides: Mapping[str, str]) -> None:
        self._started += 1
        of = f" of {self._total}" if self._total else ""
        self._write(f"run {run} ({self._started}{of})  {_settings(overrides, self._swept)}")

    def done(self, row: SweepRow) -> None:
        self._write(sweep_line(row, self._swept))

    def _write(self, line: str) -> None:
        self._stream.write(line.rstrip() + "\n")
        self._stream.flush()


class _Bar:
    """A bar over the runs, with the settings of the one that goes on."""

    def __init__(self, drawn: "Progress", total: int | None, swept: Collection[str]) -> None:
        self._drawn, self._swept = drawn, swept
        self._task = drawn.add_task("sweep", total=total, scores="")

    def started(self, run: str, overrides: Mapping[str, str]) -> None:
        self._drawn.update(self._task, scores=f"run {run} {_settings(overrides, self._swept)}".rstrip())

    def done(self, row: SweepRow) -> None:
        line = sweep_line(row, self._swept)
        self._drawn.console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._drawn.advance(self._task)


def sweep_line(row: SweepRow, swept: Collection[str] = ()) -> str:
    """Say in one line how a run went.

    Examples
    --------
    >>> sweep_line(SweepRow("3", "failed", "ValueError: no", {"actors": "4"}))
    'run 3  actors=4  failed: ValueError: no'
    """
    words = [f"run {row.run}", _settings(row.overrides, swept)]
    if row.main is None:
        words.append(row.reason)
    else:
        quality = "loss" if row.main.accuracy is None else "accuracy"
        words += [f"{quality} {fixed(getattr(row.main, quality))}", f"training {duration(row.main.seconds)}"]
        words += [
            f"{marked_ratio(arm.speed_up, arm)} over {arm.name}"
            for arm in row.arms[1:2]
            if arm.credible_speed_up
        ]
    return "  ".join(filter(None, words))


def _settings(overrides: Mapping[str, str], swept: Collection[str]) -> str:
    return " ".join(f"{key}={value}" for key, value in overrides.items() if not swept or key in swept)
