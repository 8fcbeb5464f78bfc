"""Workers that follow the load: how many a system has, from one set of messages to the next.

Nobody's results depend on it. There are never more workers than messages to handle at the same time, and
on Linux, which counts what the cores do:

- where workers have work, and cores have none or actors wait for something else than a core, one worker more;
- where other processes want the cores, and workers have to wait for them, one worker less: this run then
  takes longer, and is less in the way of the others.
"""

import logging
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100  # a second
PATIENCE = 10  # sets of messages for which a worker that nobody needed stays
ENOUGH = 0.5  # seconds of work after which the load is judged
FREE, TAKEN = 0.75, 0.6  # cores; apart, or half a core would make a worker come and go for ever
OCCUPIED = 0.5  # part of the time in which workers have work, at least, if there are to be more
ELSEWHERE = 0.5  # part of it in which they neither have a core nor wait for one, at least
WAITING = 0.1  # part of it in which they have no core, at least, if there are to be fewer


class Resizable(Protocol):
    """A system whose workers come and go."""

    workers: int

    def resize(self, workers: int) -> None:
        """Have this many workers from now on."""

    def processes(self) -> list[int]:
        """Return the numbers of the workers' processes."""
        ...


@dataclass
class Autoscaler:
    """Has a system's workers follow the load.

    Parameters
    ----------
    system : Resizable
        The system whose workers come and go.
    least, most : int
        How many workers there may be.
    give_way : bool
        Whether there may be fewer because other processes want the cores.
    """

    system: Resizable
    least: int
    most: int
    give_way: bool = True

    def __post_init__(self) -> None:
        self._messages, self._load = deque[int](maxlen=PATIENCE), np.zeros(6)

    def begin(self) -> None:
        """Note that messages are about to be sent."""
        self._processes = self.system.processes()
        self._before = core_seconds(self._processes)

    def end(self, messages: int, seconds: float, busy: float) -> None:
        """Note that so many messages have their results, and change the number of workers if need be.

        Parameters
        ----------
        messages : int
            How many messages there were.
        seconds, busy : float
            Since `begin`; worker-seconds of these in which a message was being handled.
        """
        self._messages.append(messages)
        after = core_seconds(self.system.processes())
        if self._before is not None and after is not None and self._processes == self.system.processes():
            self._load += [seconds, busy, *(after - self._before)]
        workers, reason = self._advised()
        if workers != self.system.workers:
            logger.info("workers: %d, no longer %d: %s", workers, self.system.workers, reason)
            self.system.resize(workers)
            self._load[:] = 0

    def _advised(self) -> tuple[int, str]:
        """Return how many workers there should be within the bounds, and why."""
        workers, reason = self.system.workers, ""
        if self._load[0] >= ENOUGH:
            change, reason = advice(workers, *self._load)
            workers += change if self.give_way else max(change, 0)
            self._load[:] = 0
        if len(self._messages) == PATIENCE and workers > (needed := max(self._messages)):
            workers, reason = needed, f"no more than {needed} clients at a time"
        return min(max(workers, self.least), self.most), reason


def advice(
    workers: int, seconds: float, busy: float, had: float, waited: float, idle: float, others: float
) -> tuple[int, str]:
    """Return by how many the number of workers should change after so many seconds, and why.

    The workers were `busy` with messages, `had` a core and `waited` for one; the cores were `idle`, or other
    processes' (`others`): all in seconds.
    """
    if seconds <= 0 or busy <= 0:
        return 0, ""
    if busy >= OCCUPIED * workers * seconds:
        if idle >= FREE * seconds:
            return 1, f"{idle / seconds:.1f} cores had nothing to do"
        if busy - had - waited >= ELSEWHERE * busy:
            return 1, "clients wait for something else than a core"
    if others >= TAKEN * seconds and waited >= WAITING * busy:
        return -1, f"other processes took {others / seconds:.1f} cores"
    return 0, ""


def core_seconds(workers: Iterable[int]) -> NDArray[np.float64] | None:
    """Return what Linux has counted of processes and cores so far; None elsewhere, or if a process is gone.

    In this order, in seconds: workers had a core, workers waited for one, cores were idle, other processes
    had them.
    """
    try:
        usable = {f"cpu{core}" for core in os.sched_getaffinity(0)}
        lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
        cores = [[int(ticks) / TICKS for ticks in line[1:9]] for line in lines if line[0] in usable]
        shares = [Path(f"/proc/{process}/schedstat").read_text().split() for process in workers]
        had, waited = (sum(int(share[at]) for share in shares) / 1e9 for at in (0, 1))
    except (AttributeError, OSError, ValueError, IndexError):
        return None
    spent = os.times()
    idle = sum(core[3] + core[4] for core in cores)  # with what waits for a disk
    return np.array([had, waited, idle, sum(map(sum, cores)) - idle - spent.user - spent.system - had])
