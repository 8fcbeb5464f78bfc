"""Measure how the speed-up depends on the batch size, for both parallel schemes."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.outcomes import Trial
from experiments.points import Point, speed_up, with_partners
from experiments.reports import as_table, in_words, shown, speed_up_curves
from experiments.runner import main
from experiments.trials import Comparison, study
from fedlocal.figures.canvas import sheet

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
    """Write the table and draw the figure."""
    lines = {
        label: [speed_up(trials, Point(scheme, actors, batch)) for batch in BATCHES]
        for label, (scheme, actors) in CURVES.items()
    }
    rows = [
        (batch, *map(in_words, speed_ups)) for batch, *speed_ups in zip(BATCHES, *lines.values(), strict=True)
    ]
    table = as_table(["rows of a batch", *lines], [row for row in rows if any(row[1:])])
    text = f"{table}\n{shown(BATCHES, lines)}"
    with sheet(folder / "batch_size.png", 7.0, 4.8) as figure:
        axes = figure.subplots()
        speed_up_curves(axes, BATCHES, lines)
        axes.set(xlabel="rows of an actor's batch", ylabel="times as fast")
        axes.set_title("Speed-up over sequential training of equal updates, with 95 % intervals")
        figure.legend(loc="outside lower center", ncols=2)
    return text


STUDY = study(__file__, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
