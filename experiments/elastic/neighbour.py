"""A run beside a process that wants a core: what that one gains if the run gives way, what the run loses."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from experiments.elastic.runs import QUICK, Run, check_bits, row
from experiments.rows import Row
from experiments.runner import Options
from experiments.turns import alternate
from fedlocal.actors import usable_cores

ARMS = {
    "actors": ("backend=actors",),
    "elastic": ("backend=elastic",),
    "give_way": ("backend=elastic", "backend.give_way=true"),
}


class Beside(Run):
    """A run beside a process that takes as much of a core as it gets: that part is noted in `shares`."""

    def __init__(self, name: str, overrides: tuple[str, ...]) -> None:
        super().__init__(name, overrides)
        self.shares: list[float] = []

    def turn(self) -> float:
        """Make the run."""
        started, neighbour = time.perf_counter(), subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            seconds = super().turn()
        finally:
            os.kill(neighbour.pid, signal.SIGKILL)  # kill() might reap it, with its times
            _, _, usage = os.wait4(neighbour.pid, 0)
            neighbour.returncode = 0  # it has been waited for
        self.shares.append((usage.ru_utime + usage.ru_stime) / (time.perf_counter() - started))
        return seconds


def measure(options: Options) -> Iterator[Row]:
    """Yield ratios over ``backend=actors``: of the time of training, of the neighbour's share of a core."""
    size = (f"workers={usable_cores()}", *(QUICK if options.quick else ()), *options.overrides)
    arms = [Beside(name, (*backend, *size)) for name, backend in ARMS.items()]
    figures = alternate(arms, options.trials or (2 if options.quick else 10))
    check_bits(*arms)
    shares = {arm.name: arm.shares[1:] for arm in arms}
    for name in ("elastic", "give_way"):
        setting = " ".join(ARMS[name])
        yield row("neighbour", setting, "seconds of training", figures[name], figures["actors"])
        yield row("neighbour", setting, "the neighbour's share of a core", shares[name], shares["actors"])
