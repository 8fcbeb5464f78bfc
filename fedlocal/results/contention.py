"""Contention: the cores' time that other processes, and a virtual machine's host, took from an arm.

What other processes take hampers a run only so far as they leave no core idle; what the host takes always
does. Linux says both in ``/proc``. Elsewhere only an arm with one thread shows what it did not get.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fedlocal.results.rounds import Round

PROC = Path("/proc")
SLACK = 0.05  # seconds by which the clocks of a lap may be wrong: they go in steps of a hundredth
FRESH = 1.0  # seconds for which the list of this process's descendants is kept


class Reading(NamedTuple):
    """Clocks in seconds, counted on the cores that this process may use.

    Parameters
    ----------
    wall : float
        On the clock.
    process : float
        Work of this process and its descendants.
    busy, idle, stolen : float or None
        Work of all processes, no work, and time that a virtual machine's host took; None if not known.
    cores : int
        The number of cores.
    """

    wall: float
    process: float
    busy: float | None = None
    idle: float = 0.0
    stolen: float = 0.0
    cores: int = 1

    def contended(self, before: "Reading", threads: int | None = None) -> float | None:
        """Return the seconds since an earlier reading in which other work had the cores, the cores' mean.

        They are below 0 by what was idle, and by the clocks' steps; `threads` is how many threads computed
        without a pause, if that is known.
        """
        wall, process = self.wall - before.wall, self.process - before.process
        if self.busy is None or before.busy is None:
            return wall - process if threads == 1 else None
        other_processes = self.busy - before.busy - process
        hampering = (other_processes - self.idle + before.idle) / self.cores
        stolen = (self.stolen - before.stolen) / self.cores
        return min(wall, max(0.0, hampering) + stolen if stolen else max(-SLACK, hampering))


class Meter:
    """Takes readings, by default of this machine, and measures the contention between them."""

    def __init__(self, read: Callable[[], Reading] | None = None) -> None:
        self._read = read or Machine().read
        self._last = self._read()
        self._owed = 0.0

    def lap(self, threads: int | None = None) -> dict[str, float]:
        """Return the seconds since the last lap, ``elapsed`` and ``contended``; nothing if not known."""
        before, self._last = self._last, self._read()
        contended = self._last.contended(before, threads)
        if contended is None:
            return {}
        self._owed += contended  # what a lap lacks for the clocks' steps, the next has too much of
        contended, self._owed = max(0.0, self._owed), max(-SLACK, min(0.0, self._owed))
        elapsed = self._last.wall - before.wall
        return {"elapsed": elapsed, "contended": min(elapsed, contended)}


def contention_of(rounds: Iterable[Round]) -> float | None:
    """Return the share of rounds' time in which other work had the cores; None if it is not known."""
    measured = [round_.seconds for round_ in rounds if round_.number and "contended" in round_.seconds]
    elapsed = sum(seconds["elapsed"] for seconds in measured)
    return sum(seconds["contended"] for seconds in measured) / elapsed if elapsed > 0 else None


class Machine:
    """Reads the clocks of this machine; costs a fraction of a millisecond, and some more once a second."""

    def __init__(self) -> None:
        self._family: list[int] = []
        self._looked = -FRESH

    def read(self) -> Reading:
        """Take a reading."""
        try:
            cores = sorted(os.sched_getaffinity(0))
            whole = [sum(column) / TICKS for column in zip(*_ticks(cores), strict=True)]
            user, nice, system, idle, waiting, hard, soft, stolen = whole
            process = self._process_seconds()
        except (OSError, AttributeError, ValueError, LookupError):  # no Linux, or a sandbox
            return Reading(time.perf_counter(), time.process_time())
        busy = user + nice + system + hard + soft
        return Reading(time.perf_counter(), process, busy, idle + waiting, stolen, len(cores))

    def _process_seconds(self) -> float:
        """Return the seconds of work of this process and its descendants, those that ended included."""
        now = time.monotonic()
        if now - self._looked >= FRESH:
            self._family, self._looked = _descendants(), now
        total = sum(os.times()[:4])
        for process in self._family:
            with suppress(OSError):  # it has ended, and its parent has its times
                total += sum(map(int, _stat(process)[11:15])) / TICKS
        return total


TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def _ticks(cores: Iterable[int]) -> Iterator[list[int]]:
    """Yield of each core how long it was in which state, from user to stolen."""
    lines = (PROC / "stat").read_text().splitlines()
    counters = dict(line.split(maxsplit=1) for line in lines if line.startswith("cpu"))
    for core in cores:
        yield [int(number) for number in counters[f"cpu{core}"].split()[:8]]


def _stat(process: int) -> list[str]:
    """Return the fields of a process's ``stat`` file after its name."""
    return (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.scandir(PROC):
        if entry.name.isdecimal():
            with suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    descendants = list(children.get(os.getpid(), ()))
    for process in descendants:  # it grows
        descendants += children.get(process, ())
    return descendants
