"""A round of 1000 clients with the paper's model and empty training."""

from collections.abc import Iterator
from contextlib import closing

from experiments.performance.federation import PAPER, Rounds, echoing, session, size_of
from experiments.rows import Row, row_of
from experiments.runner import Options
from experiments.turns import alternate

CLIENTS = 1000


def measure(options: Options) -> Iterator[Row]:
    """Yield the seconds of a round."""
    setting = f"{CLIENTS} clients, {size_of(PAPER)}"
    with session(), closing(Rounds("fedlocal", echoing(CLIENTS, PAPER))) as arm:
        turns = alternate([arm], 5 if options.quick else 20)[arm.name]
        yield row_of("thousand", setting, "a round", turns, "s", at_most=0.7, note=arm.breakdown(1))
