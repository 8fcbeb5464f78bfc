"""The nemesis: at random moments it does something bad to a random worker of a run.

Its generator is seeded: one seed, one sequence of faults and pauses. What the worker is doing at that moment
is the machine's to say.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from signal import Signals

from experiments.faults.processes import Process, of_run, strike

Choice = Callable[[Sequence[Process]], list[Process]]

SIGNALS = {
    "kill": Signals.SIGKILL,
    "terminate": Signals.SIGTERM,
    "crash": Signals.SIGSEGV,
    "stop": Signals.SIGSTOP,  # for good: only a deadline helps
    "delay": Signals.SIGSTOP,  # SIGCONT follows
    "forkserver": Signals.SIGKILL,  # to the process that workers are forked from
}
DELAY = 0.01, 0.3  # seconds from SIGSTOP to SIGCONT


@dataclass(frozen=True)
class Menace:
    """What a nemesis does, and how often.

    Faults as in `SIGNALS` are drawn by their weights, with a pause of so many seconds between two, least and
    most; after `most` faults it lets the run be.
    """

    name: str
    weights: Mapping[str, float]
    pause: tuple[float, float] = (0.02, 0.2)
    most: int | None = None


@dataclass(frozen=True)
class Prey:
    """Whom a nemesis may hit, and when: what chooses them from the processes that carry the run's mark."""

    mark: str
    workers: Choice
    origin: Choice
    has_begun: Callable[[], bool]
    is_over: Callable[[], bool]


class Nemesis(threading.Thread):
    """Strikes from the beginning of training to its end; counts the faults that hit a living process."""

    def __init__(self, menace: Menace, prey: Prey, seed: int) -> None:
        super().__init__(name="nemesis", daemon=True)
        self.tried: Counter[str] = Counter()
        self._menace, self._prey = menace, prey
        self._random = random.Random(seed)
        self._ending = threading.Event()

    def run(self) -> None:
        """Strike until training has ended, or `end` is called."""
        while not self._ending.wait(self._random.uniform(*self._menace.pause)):
            if self._prey.is_over() or self.tried.total() == self._menace.most:
                return
            if self._prey.has_begun():
                self._strike()

    def end(self) -> None:
        """Have it let go, and wait until it has."""
        self._ending.set()
        self.join()

    def _strike(self) -> None:
        names, weights = zip(*self._menace.weights.items(), strict=True)
        (fault,) = self._random.choices(names, weights)
        choose = self._prey.origin if fault == "forkserver" else self._prey.workers
        targets = choose(of_run(self._prey.mark))
        if not targets:
            return  # all are dead already
        target = self._random.choice(targets)
        if strike(target, SIGNALS[fault], self._prey.mark):
            self.tried[fault] += 1
            if fault == "delay":
                self._ending.wait(self._random.uniform(*DELAY))
                strike(target, Signals.SIGCONT, self._prey.mark)
