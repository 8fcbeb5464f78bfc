"""Occupancy: the states of a round's workers over time, and the critical path of the round.

A round lasts from its start to the end of its timed spans. At each instant of it a worker is in one of three
states, by the round's stretches of work:

- *computing*: an actor is at work on it;
- *idle*: it is not, but another worker computes: it waits for the others;
- *coordination*: no worker computes: tasks are handed out, replies collected, models or gradients summed.

So coordination has the same length for all workers, and the three add up to the round's. Messages and sums
that go on while somebody computes cost the round nothing; a worker that waits for them then is idle.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fedlocal.results.rounds import Round

MOST_WORKERS = 4096  # whatever a file says

Intervals = NDArray[np.float64]
"""Starts and ends in seconds, shape (n, 2); ascending, and apart from one another."""


class States(NamedTuple):
    """How long a worker was in each state in a round, in seconds."""

    computing: float
    coordination: float
    idle: float


class CriticalPath(NamedTuple):
    """What a round waited for.

    The instants at which no worker computes cut a round into phases: one in most rounds, a wave of batches
    where all wait for an update. A phase waits for the worker that ends last in it.

    Parameters
    ----------
    worker, actor : int
        Whose stretch of work ended last in the round.
    coordination : float
        Seconds in which no worker was computing: dispatch, collection, aggregation.
    work, gaps : float
        Of the workers that ended last in their phases: seconds in these in which they were computing, and in
        which they were not.
    """

    worker: int
    actor: int
    coordination: float
    work: float
    gaps: float

    @property
    def seconds(self) -> float:
        """The path's length without the gaps: the round's, had those that ended last never waited."""
        return self.coordination + self.work


@dataclass(frozen=True, eq=False)
class Occupancy:
    """Which actor worked where and when in one round.

    Parameters
    ----------
    number : int
        The round's number.
    span : float
        The round's length in seconds: its timed spans; or more, where a stretch of work ends later.
    workers : tuple of int
        Ascending; also those that had no work in the round.
    actor, worker : NDArray[int64], shape (stretches,)
        The actor and worker of each stretch of work.
    times : NDArray[float64], shape (stretches, 2)
        Each stretch's start and end, in seconds since the round's start; ascending by the starts.
    """

    number: int
    span: float
    workers: tuple[int, ...]
    actor: NDArray[np.int64]
    worker: NDArray[np.int64]
    times: NDArray[np.float64]

    @classmethod
    def of(cls, round_: Round) -> Self | None:
        """Read a round; None where nobody's work in it is known, or it took no time."""
        stretches = round_.stretches
        if not stretches:
            return None
        actor, worker, started, seconds = np.array(stretches, dtype=np.float64).T
        order = np.lexsort((actor, worker, started))
        times = np.stack([started, started + seconds], axis=1)[order]
        actor, worker = (column[order].astype(np.int64) for column in (actor, worker))
        span = max(round_.timed, float(times[:, 1].max()))
        if not 0 < span < np.inf:
            return None
        workers = _workers(round_, set(np.unique(worker).tolist()))
        return cls(round_.number, span, workers, actor, worker, times)

    def computing(self, worker: int | None = None) -> Intervals:
        """Return when a worker was computing; for None, when any was."""
        return _joined(self.times if worker is None else self.times[self.worker == worker])

    def states(self) -> list[States]:
        """Return how long each worker was in each state, in the order of `workers`."""
        anyone = _length(self.computing())
        nobody = max(0.0, self.span - anyone)  # sums are exact but for their last bits
        busy = dict.fromkeys(self.workers, 0.0)
        busy |= {worker: _length(self.computing(worker)) for worker in self._at_work}
        return [States(seconds, nobody, max(0.0, anyone - seconds)) for seconds in busy.values()]

    @property
    def _at_work(self) -> list[int]:
        return list(np.unique(self.worker).tolist())

    @cached_property
    def usage(self) -> "Usage":
        """The states of all workers together, and the critical path."""
        computing, coordination, idle = map(sum, zip(*self.states(), strict=True))
        return Usage(computing, coordination, idle, self.critical_path().seconds, self.span)

    def critical_path(self) -> CriticalPath:
        """Return the critical path: the stretches of work that the round waited for."""
        phases = self.computing()
        work, end = np.zeros(len(phases)), np.full(len(phases), -np.inf)
        for worker in self._at_work:
            stretches = self.computing(worker)
            phase = np.searchsorted(phases[:, 0], stretches[:, 0], side="right") - 1
            busy = np.bincount(phase, stretches[:, 1] - stretches[:, 0], minlength=len(phases))
            ended = np.full(len(phases), -np.inf)
            ended[phase] = stretches[:, 1]  # ascending: the last one stays
            work, end = np.where(ended > end, busy, work), np.maximum(ended, end)
        last, length = int(self.times[:, 1].argmax()), _length(phases)
        waited, gaps = max(0.0, self.span - length), max(0.0, length - float(work.sum()))
        return CriticalPath(int(self.worker[last]), int(self.actor[last]), waited, float(work.sum()), gaps)


class Usage(NamedTuple):
    """One or several rounds together.

    Parameters
    ----------
    computing, coordination, idle : float
        Worker-seconds in each state.
    path, span : float
        Seconds of the rounds' critical paths, and of the rounds.
    """

    computing: float
    coordination: float
    idle: float
    path: float
    span: float

    @property
    def efficiency(self) -> float:
        """The part of the workers' time in which they were computing."""
        return self.computing / self._total if self._total else 0.0

    @property
    def coordination_share(self) -> float:
        """The part of the workers' time in which none of them was computing."""
        return self.coordination / self._total if self._total else 0.0

    @property
    def _total(self) -> float:
        return self.computing + self.coordination + self.idle


def usage(rounds: Iterable[Round]) -> Usage | None:
    """Add up the rounds in which somebody's work is known; None where there is none."""
    usages = [occupancy.usage for round_ in rounds if (occupancy := Occupancy.of(round_))]
    return Usage(*map(sum, zip(*usages, strict=True))) if usages else None


def _workers(round_: Round, seen: set[int]) -> tuple[int, ...]:
    """Complete the workers that were seen to those that ``busy`` and ``idle`` are the worker-seconds of."""
    missing = (
        round(min(round_.workers, MOST_WORKERS)) - len(seen) if round_.workers > 0 else 0
    )  # not if it is NaN
    return tuple(sorted([*seen, *islice((n for n in count() if n not in seen), max(0, missing))]))


def _joined(times: NDArray[np.float64]) -> Intervals:
    """Return stretches, ascending by their starts, as intervals: those that touch or overlap are one."""
    if len(times) == 0:
        return times
    latest = np.maximum.accumulate(times[:, 1])
    apart = times[1:, 0] > latest[:-1]
    first, last = np.append(True, apart), np.append(apart, True)
    return np.stack([times[first, 0], latest[last]], axis=1)


def _length(intervals: Intervals) -> float:
    return float((intervals[:, 1] - intervals[:, 0]).sum())
