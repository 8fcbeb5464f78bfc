"""Draws the README's figure: ``python docs/figure.py`` writes docs/figure-light.svg and docs/figure-dark.svg.

Two panels come from runs made on the spot, whose bits do not depend on how busy the machine is: which labels
each actor owns, and how well each way to train does. The third one, how fast that is, comes from the trials
of experiments/figure1, which were measured with care.
"""

import csv
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

import fedlocal
from fedlocal.config.build import build
from fedlocal.config.schema import Config
from fedlocal.data import traits
from fedlocal.experiment.partition_summary import summarize_partition
from fedlocal.seeds import Stream, generator

HERE = Path(__file__).parent
TRIALS = HERE.parent / "experiments" / "figure1" / "results.csv"
SETTING = ("experiment=fashion", "display=off", "checkpoint_every=0")
ACTORS = (2, 4, 8, 16, 32)
INK = {"light": "#1f2328", "dark": "#e6edf3"}
BLUE, ORANGE, GREY = "#2f81c4", "#d9722e", "#8b949e"
SCHEMES = {"federated": (BLUE, "-"), "sequential": (ORANGE, "--"), "local": (GREY, ":")}


def main() -> None:
    """Train, and draw the same figure for pages in light and in dark."""
    owned = labels_of(fedlocal.compose(*SETTING))
    curves = {scheme: accuracies(scheme) for scheme in SCHEMES}
    ratios = speed_ups()
    for theme, ink in INK.items():
        colours = {f"{part}.color": ink for part in ("text", "xtick", "ytick")}
        lines = {
            "axes.labelcolor": ink,
            "axes.edgecolor": ink,
            "svg.fonttype": "path",
            "svg.hashsalt": "fedlocal",
        }
        spines = {"axes.spines.top": False, "axes.spines.right": False, "font.size": 10}
        with mpl.rc_context({**colours, **lines, **spines}):
            draw(owned, curves, ratios, HERE / f"figure-{theme}.svg")


def labels_of(config: Config) -> NDArray[np.int64]:
    """Count the rows of each class that each actor owns, [actors, classes]."""
    dataset = build(config, "dataset", rng=generator(config.seed, Stream.DATASET))
    divide = build(config, "partition")
    partition = divide(traits(dataset), int(config.actors), generator(config.seed, Stream.PARTITION))
    return np.array(summarize_partition(dataset, partition)["counts"])


def accuracies(scheme: str) -> tuple[list[int], list[float]]:
    """Train by a scheme; return rounds and test accuracies, of `local` the mean of the actors'."""
    run = fedlocal.run(fedlocal.compose(*SETTING, f"scheme={scheme}", "baseline=false"))
    (history,) = run.histories.values()
    return history.series("accuracy")


def speed_ups() -> dict[int, list[float]]:
    """Return for each number of actors how many times as fast as one thread each trial was."""
    seconds: dict[str, dict[str, float]] = defaultdict(dict)
    with TRIALS.open() as file:
        for row in csv.DictReader(file):
            if row["study"] == "timing":
                seconds[row["arm"]][row["number"]] = float(row["seconds"])
    alone = seconds["sequential-1x128"]
    return {
        actors: [alone[trial] / taken for trial, taken in seconds[f"federated-{actors}x128"].items()]
        for actors in ACTORS
    }


def draw(
    owned: NDArray[np.int64],
    curves: dict[str, tuple[list[int], list[float]]],
    ratios: dict[int, list[float]],
    path: Path,
) -> None:
    """Draw the three panels on nothing, so that the page shows through."""
    figure, panels = plt.subplots(1, 3, figsize=(9.6, 3.1), layout=ConstrainedLayoutEngine(w_pad=0.12))
    draw_labels(panels[0], owned)
    draw_curves(panels[1], curves)
    draw_ratios(panels[2], ratios)
    figure.savefig(path, transparent=True, metadata={"Date": None})
    plt.close(figure)


def draw_labels(axes: Axes, owned: NDArray[np.int64]) -> None:
    """Draw a bubble for each actor and class, whose area is a number of rows."""
    actors, classes = np.nonzero(owned)
    areas = owned[actors, classes] / owned.max() * 150
    axes.scatter(actors + 1, classes, s=areas, color=BLUE, linewidths=0)
    axes.set(title="each actor owns its rows", xlabel="actor", ylabel="class")
    axes.set(xticks=range(1, len(owned) + 1), yticks=range(owned.shape[1]))


def draw_curves(axes: Axes, curves: dict[str, tuple[list[int], list[float]]]) -> None:
    """Draw the accuracy after each round, each line named at its end."""
    names = {
        "federated": "federated",
        "sequential": "all rows, one process",
        "local": "each actor alone (mean)",
    }
    for scheme, (rounds, values) in curves.items():
        colour, style = SCHEMES[scheme]
        axes.plot(rounds, values, style, color=colour, linewidth=2, label=names[scheme])
    axes.set(
        title="together they learn one model", xlabel="round", ylabel="accuracy on the test set", ylim=(0, 1)
    )
    axes.set_xticks(range(0, 11, 2))
    axes.legend(loc="lower right", frameon=False)


def draw_ratios(axes: Axes, ratios: dict[int, list[float]]) -> None:
    """Draw each trial, and the geometric mean of each number of actors."""
    places = range(len(ratios))
    for place, trials in zip(places, ratios.values(), strict=True):
        axes.scatter([place] * len(trials), trials, s=14, color=BLUE, alpha=0.55, linewidths=0)
    means = [float(np.exp(np.log(trials).mean())) for trials in ratios.values()]
    axes.plot(places, means, "-o", color=BLUE, linewidth=2)
    axes.axhline(1, color=ORANGE, linestyle="--", linewidth=2)
    axes.annotate(
        "one thread", (len(ratios) - 1, 1), (0, -12), textcoords="offset points", ha="right", color=ORANGE
    )
    axes.set(title="faster than one thread", xlabel="actors, on two cores", ylabel="speed-up", ylim=(0, 2.5))
    axes.set_xticks(places, [str(actors) for actors in ratios])


if __name__ == "__main__":
    main()
