"""Telling trackers of a run: in one place, between its rounds, and such that none of them can harm it."""

import logging
import time
from collections.abc import Callable, Mapping
from textwrap import shorten

from fedlocal.results.history import History
from fedlocal.results.rounds import Round
from fedlocal.results.runs import arm_name
from fedlocal.trackers.base import MetricPoint, RunEnded, RunStarted, Tracker

logger = logging.getLogger(__name__)

PAUSE = 1.0  # seconds for which rounds are kept back, and told together: many are far shorter
LONGEST = 250  # characters of a reason: databases give theirs with all that they were told
REST = 20  # times as long as telling took, nothing more is told


class TrackerDispatch:
    """Tells trackers of all that the histories of a run hold, and will hold.

    The first failure of a tracker is logged as a warning; then it is told that the run has ended, as one that
    failed, and no more.

    Parameters
    ----------
    trackers : mapping of str to Tracker
        By their names; they are open.
    histories : callable
        Returns the histories by the names of the arms. They grow, and more may come.
    """

    def __init__(
        self, trackers: Mapping[str, Tracker], histories: Callable[[], Mapping[str, History]]
    ) -> None:
        self._trackers, self._histories = dict(trackers), histories
        self._told: dict[str, int] = {}
        self._waiting: list[MetricPoint] = []
        self._next = time.monotonic() + PAUSE

    def begin(self, run: RunStarted) -> None:
        """Tell that the run begins."""
        self._tell(lambda tracker: tracker.begin(run))

    def after(self, show: Callable[[Round], None]) -> Callable[[Round], None]:
        """Return what does as `show` does, and then looks for new rounds.

        It is to be called between rounds, when no clock is running.
        """
        if not self._trackers:
            return show

        def show_and_note(one: Round) -> None:
            show(one)
            self.note()

        return show_and_note

    def note(self) -> None:
        """Look for new rounds in all histories, and tell of them if that has not been done for a while."""
        now = time.time()
        for name, history in self._histories().items():
            told = self._told.get(name, 0)
            new = history.rounds[told:]
            self._told[name] = told + len(new)
            self._waiting += [MetricPoint(arm_name(name), one.number, now, numbers(one)) for one in new]
        if time.monotonic() >= self._next:
            self._send()

    def end(self, run: RunEnded) -> None:
        """Tell what was not told yet, and that the run has ended."""
        self.note()
        self._send()
        self._tell(lambda tracker: tracker.end(run))
        self._trackers.clear()

    def _send(self) -> None:
        points, self._waiting = self._waiting, []
        begun = time.monotonic()
        if points:
            self._tell(lambda tracker: tracker.log(points))
        ended = time.monotonic()
        self._next = ended + max(PAUSE, REST * (ended - begun))

    def _tell(self, what: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                what(tracker)
            except Exception as error:  # noqa: BLE001 - whatever a library raises, a server says, a disk lacks
                del self._trackers[name]
                reason = shorten(f"{type(error).__name__}: {error}", LONGEST, placeholder=" …")
                logger.warning("tracker=%s: %s; the run goes on without it", name, reason)
                self._give_up(tracker, reason)

    def _give_up(self, tracker: Tracker, reason: str) -> None:
        """Leave no run behind that looks as if it went on."""
        try:
            tracker.end(RunEnded("failed", tags={"error": f"not tracked to its end: {reason}"}))
        except Exception as error:  # noqa: BLE001 - as it failed before
            logger.info("it could not be told so: %s", error)


def numbers(one: Round) -> dict[str, float]:
    """Return the numbers of a round under the names that trackers have for them."""
    found = {name: float(value) for name, value in one.metrics.items()}
    found |= {f"seconds/{span}": float(value) for span, value in one.seconds.items()}
    if one.errors:
        found["errors"] = float(len(one.errors))
    return found
