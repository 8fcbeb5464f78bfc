"""What the cores are busy with, as Linux counts it; elsewhere nothing is known."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100  # a second
NANOSECONDS = 1e9  # a second


class Share(NamedTuple):
    """What the first thread of a process had of the cores, in seconds.

    Parameters
    ----------
    had : float
        With a core.
    waited : float
        Without one, while it could have gone on: other threads had them.
    """

    had: float
    waited: float


@dataclass(frozen=True)
class CpuUsage:
    """Processor time in seconds: since the machine started, or between two moments.

    Parameters
    ----------
    cores, idle : float
        Of the cores that this process may use: all of their time, and what of it nobody used.
    this_process : float
        Of this process.
    workers : dict of int to Share
        Of the processes of workers, by number.
    """

    cores: float
    idle: float
    this_process: float
    workers: dict[int, Share]

    @classmethod
    def now(cls, workers: Iterable[int]) -> Self | None:
        """Return the usage so far; None where Linux does not count it, or one of the processes is gone."""
        try:
            usable = {f"cpu{core}" for core in os.sched_getaffinity(0)}
            lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
            cores = [[int(ticks) for ticks in line[1:9]] for line in lines if line[0] in usable]
            shares = {process: _share(process) for process in workers}
        except (AttributeError, OSError, ValueError, IndexError):
            return None
        spent = os.times()
        idle = sum(core[3] + core[4] for core in cores)  # with what waits for a disk
        return cls(sum(map(sum, cores)) / TICKS, idle / TICKS, spent.user + spent.system, shares)

    def since(self, before: Self) -> Self | None:
        """Return the difference to an earlier usage; None if the processes are not the same."""
        if self.workers.keys() != before.workers.keys():
            return None
        pairs = {process: (now, before.workers[process]) for process, now in self.workers.items()}
        return type(self)(
            self.cores - before.cores,
            self.idle - before.idle,
            self.this_process - before.this_process,
            {process: Share(now[0] - then[0], now[1] - then[1]) for process, (now, then) in pairs.items()},
        )


def _share(process: int) -> Share:
    had, waited, _ = Path(f"/proc/{process}/schedstat").read_text().split()
    return Share(int(had) / NANOSECONDS, int(waited) / NANOSECONDS)
