"""What a person sees while a run goes on: a bar on a terminal, a line now and then elsewhere.

All of it goes to standard error, so that standard output holds results alone.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

from fedlocal.display.terminal import ForgivingStream, are_drawn, bars
from fedlocal.results.formatting import duration, fixed
from fedlocal.results.rounds import Round

if TYPE_CHECKING:
    from rich.progress import Progress

Mode = Literal["auto", "plain", "off"]


class Show(Protocol):
    """The function that `progress` yields."""

    def __call__(self, round: Round) -> None:  # noqa: A002
        """Show a round that is done."""


@contextmanager
def progress(
    total_rounds: int, name: str, mode: Mode = "auto", stream: TextIO | None = None, done: int = 0
) -> Iterator[Show]:
    """Show the progress of one scheme until the block ends.

    A terminal or pipe that goes away silences the display; the run goes on.

    Parameters
    ----------
    total_rounds : int
        The number of the last round.
    name : str
        The scheme, as in the table of results.
    mode : {"auto", "plain", "off"}
        ``auto`` draws a bar where the stream is a terminal and writes plain lines elsewhere: for the first
        round, at about every tenth part, and for the last.
    stream : TextIO or None
        Where to write; None means standard error.
    done : int
        The last round of an earlier run that this one goes on from.

    Yields
    ------
    Show
        A function of one `Round`.

    Raises
    ------
    ValueError
        If `mode` is none of the three.

    Examples
    --------
    >>> with progress(1, "federated", "plain", sys.stdout) as show:
    ...     show(Round(1, metrics={"loss": 0.25, "accuracy": 0.9}))  # doctest: +ELLIPSIS
    federated  round 1/1  loss 0.2500  accuracy 0.9000  took ...
    """
    if mode not in ("auto", "plain", "off"):
        msg = f"progress mode {mode!r} is not known: choose auto, plain or off"
        raise ValueError(msg)
    forgiving = ForgivingStream(stream or sys.stderr)
    if mode == "off":
        yield _silent
    elif mode == "auto" and (are_drawn() or forgiving.has_bars):
        with bars(forgiving) as terminal_bars:
            show = _BarShow(terminal_bars.drawn, total_rounds, name, done)
            try:
                yield show
            finally:
                if terminal_bars.around:
                    show.remove()
    else:
        yield _PlainShow(forgiving, total_rounds, name, done)


def announce(line: str, mode: Mode = "auto", stream: TextIO | None = None) -> None:
    """Show a line that is about the whole run, where `progress` would show its rounds."""
    if mode != "off":
        forgiving = ForgivingStream(stream or sys.stderr)
        forgiving.write(line + "\n")
        forgiving.flush()


def _silent(round: Round) -> None:  # noqa: A002
    """Show nothing."""


class _PlainShow:
    """Lines for a log file or a pipe."""

    def __init__(self, stream: ForgivingStream, total: int, name: str, done: int) -> None:
        self._stream = stream
        self._total = total
        self._name = name
        self._done = done
        self._began = time.perf_counter()
        self._next = 0.0  # the first round from here on is shown

    def __call__(self, round: Round) -> None:  # noqa: A002
        if round.number < self._next and round.number < self._total:
            return
        self._next = round.number + max(1.0, self._total / 10)
        words = [
            self._name,
            f"round {round.number}/{self._total}",
            *_scores(round),
            self._times(round.number),
        ]
        self._stream.write("  ".join(filter(None, words)) + "\n")
        self._stream.flush()

    def _times(self, number: int) -> str:
        passed = time.perf_counter() - self._began
        if number >= self._total:
            return f"took {duration(passed)}"
        trained = number - self._done
        return f"about {duration(passed / trained * (self._total - number))} left" if trained else ""


class _BarShow:
    """A bar with the round, the last scores, and the time passed and left."""

    def __init__(self, bar: "Progress", total: int, name: str, done: int) -> None:
        self._bar = bar
        self._task = bar.add_task(name, total=total, completed=done, scores="")
        self._scores: dict[str, float] = {}

    def __call__(self, round: Round) -> None:  # noqa: A002
        self._scores |= round.metrics  # rounds between evaluations keep the last scores in sight
        shown = Round(round.number, metrics=self._scores)
        self._bar.update(self._task, completed=round.number, scores=" ".join(_scores(shown)))

    def remove(self) -> None:
        self._bar.remove_task(self._task)


def _scores(round_: Round) -> list[str]:
    loss = "loss" if "loss" in round_.metrics else "train-loss"
    return [
        f"{metric} {fixed(round_.metrics[metric])}"
        for metric in (loss, "accuracy")
        if metric in round_.metrics
    ]
