"""A training step against the matrix products that it cannot do without: see the study ``training_step``."""

from collections.abc import Iterator

from experiments.rows import Row
from experiments.runner import Options
from experiments.training_step.products import LIMIT, arms
from experiments.turns import over_first
from fedlocal.actors import one_thread

COMPARED = (LIMIT, "train_step", "train (with the gather)")


def measure(options: Options) -> Iterator[Row]:
    """Yield the ratio to the products at each batch size."""
    for batch in (32, 64, 128, 256):
        passes = {name: arm for name, arm in arms(batch).items() if name in COMPARED}
        with one_thread():
            turns = 10 if options.quick else 40
            rows = list(over_first("step", f"batch {batch}", passes, turns, at_most={"train_step": 1.15}))
        yield from rows[1:]
