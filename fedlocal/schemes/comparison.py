"""A scheme beside the sequential baselines: they take turns, round by round, and never run at the same time.

So other load on the machine slows all of them alike, and the ratio of their times means something.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from fedlocal.actors import usable_cores
from fedlocal.results import (
    DURATION,
    Arm,
    Checkpoint,
    History,
    Meter,
    Round,
    arm_of,
    below,
    contention_of,
    faster,
    joined,
    weights_hash,
)
from fedlocal.schemes.base import Arrays, Capture, Scheme, Setting, Trained
from fedlocal.schemes.baselines import Baselines, new_history


@dataclass
class Comparison:
    """Histories and models of a scheme and its baselines, which fill as the run goes on.

    Parameters
    ----------
    name : str
        The scheme's name.
    keep : callable, optional
        Called with a checkpoint after each round.
    best : callable, optional
        Called with each round of the scheme, and with what returns its model.
    meter : Meter, optional
        Says how busy the machine was with other work.
    earlier : float
        Seconds that earlier parts of the run took, up to where it goes on.
    """

    name: str
    setting: Setting
    folder: Path | None
    baselines: Baselines | None = None
    keep: Callable[[Checkpoint], None] | None = None
    best: Callable[[Round, Callable[[], Arrays]], None] | None = None
    meter: Meter = field(default_factory=Meter)
    earlier: float = 0.0
    _started: float = field(default_factory=time.perf_counter, init=False)
    _history: History | None = field(default=None, init=False)
    _hash: str | None = field(default=None, init=False)

    @property
    def histories(self) -> dict[str, History]:
        """The rounds so far, by the arms' names; the scheme's first."""
        beside = self.baselines.histories if self.baselines else {}
        return {self.name: self._history, **beside} if self._history else {}

    @property
    def duration(self) -> float:
        """Seconds that the run took so far, earlier parts of it included."""
        return self.earlier + time.perf_counter() - self._started

    @property
    def hashes(self) -> dict[str, str]:
        """Hashes of the final weights of the arms that are done, by the arms' names."""
        scheme_hash = {self.name: self._hash} if self._hash else {}
        return scheme_hash | (self.baselines.hashes if self.baselines else {})

    def run(self, scheme: Scheme, show: Callable[[Round], None], start: Checkpoint | None = None) -> Trained:
        """Train with `scheme`, each of its rounds shown, and followed by one of each baseline.

        `start` is of an earlier run, to go on from.
        """
        with ExitStack() as stack:
            self._history = history = stack.enter_context(new_history(self.folder, start))
            if self.baselines:
                self.baselines.begin(stack, start)

            def on_round(round_: Round, capture: Capture) -> None:
                round_ = replace(round_, seconds={**round_.seconds, **self.meter.lap()})
                history.record(round_)
                show(round_)
                if self.baselines:
                    self.baselines.follow(round_.number, self.meter)
                captured = cache(capture)
                if self.best:  # before `keep`: no checkpoint may be of a later round than the best model
                    self.best(round_, lambda: below("model", captured()))
                if self.keep and round_.number:
                    parts = self.baselines.capture() if self.baselines else {}
                    arrays = joined({"scheme": captured(), **parts}) | {DURATION: np.array(self.duration)}
                    self.keep(Checkpoint(round_.number, arrays))
                self.meter.lap()  # time between rounds counts for no arm

            trained = scheme(self.setting, on_round, start.part("scheme") if start else None)
            self._hash = weights_hash(trained.arrays)
            if self.baselines:
                self.baselines.end()
        return trained

    def arms(self) -> list[Arm]:
        """Return a line of the final table for each arm, the scheme's first."""
        main = self._history
        if main is None:
            return []
        workers = max((round(round_.workers) for round_ in main.rounds), default=0) or None
        first = replace(_arm(self.name, main), processes=workers, cores=usable_cores())
        beside = self.baselines.histories.items() if self.baselines else ()
        return [first, *(self._beside(name, history, first) for name, history in beside)]

    def _beside(self, name: str, history: History, first: Arm) -> Arm:
        """Return a baseline's line, with how many times faster the first arm was."""
        baselines, main, arm = self.baselines, self._history, _arm(name, history)
        if baselines is None or main is None:
            return arm
        contentions = [timed.contention for timed in (arm, first) if timed.contention is not None]
        arm = replace(arm, contention=max(contentions, default=None), reused=baselines.apart)
        if ended := baselines.ended.get(name):  # its model is of no round
            return replace(arm, accuracy=None, loss=None, rmse=None, ended=ended)
        whole_runs = replace(first, seconds=_whole_run(main)), replace(arm, seconds=_whole_run(history))
        return replace(arm, speed_up=faster(first, arm), end_to_end=faster(*whole_runs))


def _arm(name: str, history: History) -> Arm:
    rows = [round_.trained_rows for round_ in history.rounds if round_.number]
    return replace(
        arm_of(name, history),
        rmse=history.final("rmse"),
        trained_rows=None if None in rows else sum(row for row in rows if row),
        contention=contention_of(history.rounds),
    )


def _whole_run(history: History) -> float:
    """Return the seconds from the start of workers to the last evaluation."""
    return history.total("start-up") + history.seconds + history.total("evaluation")
