"""Measure how the speed-up depends on the batch size, for both parallel schemes."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.outcomes import Trial
from experiments.points import Point, speed_up, with_partners
from experiments.reports import EQUAL_UPDATES, speed_up_figure, speed_up_table
from experiments.runner import main
from experiments.trials import Comparison, study

BATCHES = (16, 32, 64, 128, 256, 512, 1024)
CURVES = {
    f"{scheme}, {actors} actors": (scheme, actors)
    for scheme in ("federated", "batch_parallel")
    for actors in (2, 8)
}
QUICK = ("dataset=digits",)


def parts(quick: bool) -> list[Comparison]:
    """Return the one study: each curve at each batch size, and the sequential scheme."""
    batches, options, trials = ((16, 64), QUICK, 2) if quick else (BATCHES, (), 10)
    points = [Point(scheme, actors, batch) for scheme, actors in CURVES.values() for batch in batches]
    return [Comparison("timing", "batch_size", with_partners(points), trials, options)]


def report(trials: Sequence[Trial], folder: Path) -> str:
    """Draw the figure; return the table."""
    lines = {
        label: [speed_up(trials, Point(scheme, actors, batch)) for batch in BATCHES]
        for label, (scheme, actors) in CURVES.items()
    }
    label = "rows of an actor's batch"
    speed_up_figure(folder / "batch_size.png", BATCHES, lines, label, EQUAL_UPDATES)
    return speed_up_table("rows of a batch", BATCHES, lines)


STUDY = study(__file__, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
