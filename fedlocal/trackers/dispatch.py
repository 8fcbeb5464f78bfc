"""Reporting a run to its trackers, between rounds, and such that no tracker can harm the run."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from textwrap import shorten

from fedlocal.results.history import History
from fedlocal.results.rounds import Round
from fedlocal.results.runs import arm_name
from fedlocal.trackers.base import MetricPoint, RunEnded, RunStarted, Tracker

logger = logging.getLogger(__name__)

PAUSE = 1.0  # seconds for which rounds are kept back, and reported together: many are far shorter
LONGEST = 250  # characters of a reason: databases repeat whole statements in theirs
REST = 20  # times as long as a report took, nothing more is reported


class TrackerDispatch:
    """Reports the histories of a run to its trackers as they grow.

    The first failure of a tracker is logged as a warning; then the tracker gets an end of the run with status
    ``failed``, and nothing more.

    Parameters
    ----------
    trackers : mapping of str to Tracker
        By name; they are open.
    histories : callable
        Returns the histories by the names of the arms. They grow, and more may come.
    """

    def __init__(
        self, trackers: Mapping[str, Tracker], histories: Callable[[], Mapping[str, History]]
    ) -> None:
        self._trackers, self._histories = dict(trackers), histories
        self._noted: dict[str, int] = {}
        self._waiting: list[MetricPoint] = []
        self._next = time.monotonic() + PAUSE

    def begin(self, run: RunStarted) -> None:
        """Report that the run begins."""
        self._tell(lambda tracker: tracker.begin(run))

    def after(self, show: Callable[[Round], None]) -> Callable[[Round], None]:
        """Return a function that calls `show` and then looks for new rounds.

        Call it between rounds, when no clock is running.
        """
        if not self._trackers:
            return show

        def show_and_note(round_: Round) -> None:
            show(round_)
            self.note()

        return show_and_note

    def note(self) -> None:
        """Look for new rounds in all histories, and report them unless that was done a moment ago."""
        now = time.time()
        for name, history in self._histories().items():
            noted = self._noted.get(name, 0)
            new = history.rounds[noted:]
            self._noted[name] = noted + len(new)
            arm = arm_name(name)
            self._waiting += [MetricPoint(arm, round_.number, now, numbers(round_)) for round_ in new]
        if time.monotonic() >= self._next:
            self._send()

    def end(self, run: RunEnded) -> None:
        """Report the rounds that are left, and that the run has ended."""
        self.note()
        self._send()
        self._tell(lambda tracker: tracker.end(run))
        self._trackers.clear()

    def _send(self) -> None:
        points, self._waiting = self._waiting, []
        started = time.monotonic()
        if points:
            self._tell(lambda tracker: tracker.log(points))
        ended = time.monotonic()
        self._next = ended + max(PAUSE, REST * (ended - started))

    def _tell(self, what: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                what(tracker)
            except Exception as error:  # noqa: BLE001 - whatever a library raises, a server says, a disk lacks
                del self._trackers[name]
                reason = shorten(f"{type(error).__name__}: {error}", LONGEST, placeholder=" …")
                logger.warning("tracker=%s: %s; the run goes on without it", name, reason)
                with suppress(Exception):  # it failed before, and may look now as if the run went on
                    tracker.end(RunEnded("failed", tags={"error": f"not tracked to its end: {reason}"}))


def numbers(round_: Round) -> dict[str, float]:
    """Return the numbers of a round under the names that trackers have for them."""
    values = {name: float(value) for name, value in round_.metrics.items()}
    values |= {f"seconds/{span}": float(value) for span, value in round_.seconds.items()}
    if round_.errors:
        values["errors"] = float(len(round_.errors))
    return values
