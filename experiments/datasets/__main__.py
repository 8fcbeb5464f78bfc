"""Measure speed-up and accuracy of both parallel schemes on images, small images and a table."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.intervals import mean
from experiments.outcomes import Trial, values
from experiments.points import Point, speed_up, with_partners
from experiments.reports import EQUAL_UPDATES, as_table, highest, in_words, shown, speed_up_curves
from experiments.runner import main
from experiments.trials import Comparison, study
from fedlocal.figures.canvas import sheet

BATCH = 64
ACTORS = (2, 4, 8)
SCHEMES = ("federated", "batch_parallel")
DATA = {
    "digits": ("dataset=digits", "rounds=40"),
    "fashion_mnist": ("dataset=fashion_mnist",),
    "tabular": (  # of the form of Forest Covertype, which would have to be downloaded
        "dataset=synthetic",
        "dataset.train=100000",
        "dataset.test=10000",
        "dataset.shape=[54]",
        "dataset.classes=7",
        "dataset.separation=3",
    ),
}
QUICK = {
    "digits": ("dataset=digits", "rounds=4"),
    "tabular": (*DATA["tabular"], "dataset.train=3000", "rounds=2"),
}
TITLES = {
    "digits": "digits: 1,437 rows of 64",
    "fashion_mnist": "Fashion-MNIST: 60,000 of 784",
    "tabular": "synthetic table: 100,000 of 54",
}
HEADER = ("data set", "arm", "rows an update", "speed-up", "accuracy", "of its partner")


def parts(quick: bool) -> list[Comparison]:
    """Return a study of each data set: what is compared shares its data."""
    points = [Point(scheme, actors, BATCH) for scheme in SCHEMES for actors in ACTORS]
    arms, trials = with_partners(points), 2 if quick else 10
    return [
        Comparison(name, "datasets", arms, trials, options)
        for name, options in (QUICK if quick else DATA).items()
    ]


def report(trials: Sequence[Trial], folder: Path) -> str:
    """Write the table and draw the figure."""
    sets = {name: [trial for trial in trials if trial.study == name] for name in DATA}
    rows = [_row(name, sets[name], Point(s, n, BATCH)) for name in DATA for s in SCHEMES for n in ACTORS]
    table = as_table(HEADER, [row for row in rows if row[-2]], names=2)
    lines = {
        name: {s: [speed_up(of_set, Point(s, n, BATCH)) for n in ACTORS] for s in SCHEMES}
        for name, of_set in sets.items()
    }
    flat = {f"{name}, {s}": line for name, by_scheme in lines.items() for s, line in by_scheme.items()}
    text = f"{table}\n{shown(ACTORS, flat)}"
    reach = highest(
        interval for by_scheme in lines.values() for line in by_scheme.values() for interval in line
    )
    with sheet(folder / "datasets.png", 9.0, 4.2) as figure:
        panels = figure.subplots(1, len(DATA), sharey=True)
        for panel, (name, title) in zip(panels, TITLES.items(), strict=True):
            speed_up_curves(panel, ACTORS, lines[name], reach)
            panel.set(xlabel="actors", title=title)
        panels[0].set_ylabel("times as fast")
        figure.suptitle(EQUAL_UPDATES)
        drawn = [panel.get_legend_handles_labels() for panel in panels]
        look = {label: handle for of in drawn for handle, label in zip(*of, strict=True)}
        figure.legend(list(look.values()), list(look), loc="outside lower center", ncols=2)
    return text


def _row(name: str, trials: Sequence[Trial], point: Point) -> tuple[object, ...]:
    of_point, of_partner = (
        mean(list(values(trials, arm.name, "accuracy").values())) for arm in (point, point.partner)
    )
    faster = in_words(speed_up(trials, point))
    return name, point.name, point.update, faster, in_words(of_point, 3), in_words(of_partner, 3)


STUDY = study(__file__, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
