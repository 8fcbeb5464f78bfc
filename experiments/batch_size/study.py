"""Measure how the speed-up depends on the batch size, for both parallel schemes.

``python experiments/batch_size/study.py`` runs what is missing and writes ``results.csv``, ``results.md``,
``environment.json`` and the figure beside this file. README.md has the question, the method and the answer.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # the common parts of studies

from command import main
from outcomes import Trial
from points import Point, speed_up, with_partners
from reports import as_table, curve, in_words
from trials import Study

from fedlocal.results.figures.canvas import sheet

BATCHES = (16, 32, 64, 128, 256, 512, 1024)
CURVES = [(scheme, actors) for scheme in ("federated", "batch_parallel") for actors in (2, 8)]
LABELS = [f"{scheme}, {actors} actors" for scheme, actors in CURVES]
QUICK = ("dataset=digits",)


def studies(quick: bool) -> list[Study]:
    """Return the one study: each curve at each batch size, and the sequential scheme."""
    batches, options, trials = ((16, 64), QUICK, 2) if quick else (BATCHES, (), 10)
    points = [Point(scheme, actors, batch) for scheme, actors in CURVES for batch in batches]
    return [Study("timing", "batch_size", with_partners(points), trials, options)]


def report(trials: Sequence[Trial], folder: Path) -> None:
    """Write the table and draw the figure."""
    found = {
        batch: [speed_up(trials, Point(scheme, actors, batch)) for scheme, actors in CURVES]
        for batch in BATCHES
    }
    rows = [(batch, *map(in_words, intervals)) for batch, intervals in found.items()]
    (folder / "results.md").write_text(as_table(["rows of a batch", *LABELS], rows), encoding="utf-8")
    with sheet(folder / "batch_size.png", 7.0, 4.8) as figure:
        axes = figure.subplots()
        for index, label in enumerate(LABELS):
            curve(axes, enumerate(intervals[index] for intervals in found.values()), index, label)
        axes.axhline(1.0, color="#444444", linestyle=":", linewidth=1)
        axes.set_xticks(range(len(BATCHES)), [str(batch) for batch in BATCHES])
        axes.set(xlabel="rows of an actor's batch", ylabel="times as fast", ylim=(0, None))
        axes.set_title("Speed-up over sequential training of equal updates, with 95 % intervals")
        figure.legend(loc="outside lower center", ncols=2)


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent, studies, report))
