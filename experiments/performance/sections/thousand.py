"""A round of 1000 clients with the paper's model and empty training."""

import random
from collections.abc import Iterator
from contextlib import closing

from experiments.performance.arms import alternate
from experiments.performance.federation import PAPER, Rounds, echoing, session, size_of
from experiments.performance.rows import Row, row_of
from experiments.performance.sections import Options

CLIENTS = 1000


def measure(options: Options) -> Iterator[Row]:
    """Yield the seconds of a round."""
    setting = f"{CLIENTS} clients, {size_of(PAPER)}"
    with session(), closing(Rounds("fedlocal", echoing(CLIENTS, PAPER))) as arm:
        turns = alternate([arm], 5 if options.quick else 20, random.Random(options.seed))[arm.name]
        yield row_of("thousand", setting, "a round", turns, "s", at_most=0.7, note=arm.breakdown(1))
