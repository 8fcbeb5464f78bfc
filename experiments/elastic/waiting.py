"""Clients that wait for something else than a core, such as a disk: more workers than cores are worth it."""

import time
from collections.abc import Iterator
from typing import Any

from experiments.elastic.runs import QUICK, Run, check_bits, row
from experiments.rows import Row
from experiments.runner import Options
from experiments.turns import alternate
from fedlocal.actors import usable_cores
from fedlocal.models import MLP

WAIT = 0.005  # seconds a step
MODEL = ("model._target_=experiments.elastic.waiting.WaitingMLP", "trust=true")


class WaitingMLP(MLP):
    """A network each of whose steps waits first."""

    def train_step(self, x: Any, y: Any) -> float:
        """Wait, and train."""
        time.sleep(WAIT)
        return super().train_step(x, y)


def measure(options: Options) -> Iterator[Row]:
    """Yield how many times as fast elastic workers are as one for each core."""
    cores, size = usable_cores(), QUICK if options.quick else ()
    fixed = Run("actors", ("backend=actors", f"workers={cores}", *MODEL, *size, *options.overrides))
    elastic = Run("elastic", ("backend=elastic", "workers=12", *MODEL, *size, *options.overrides))
    figures = alternate([fixed, elastic], options.trials or (2 if options.quick else 10))
    check_bits(fixed, elastic)
    setting = f"12 clients that wait {1e3 * WAIT:.0f} ms a step"
    measured = f"speed, backend=elastic workers=12 / backend=actors workers={cores}"
    yield row("waiting", setting, measured, figures["actors"], figures["elastic"])
