"""The study's figures: a box plot after the paper's Figure 1, and the speed-ups beside the paper's."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from experiments.figure1.arms import ACTORS, BATCH, CURVES, PAPER, all_cores
from experiments.intervals import Interval, mean
from experiments.outcomes import Trial, values
from experiments.points import Point, sequential, speed_up
from experiments.reports import curves, speed_up_curves
from fedlocal.figures.canvas import COLOURS, line_style, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BOXES = list(CURVES)[:2]
WIDTH = 0.34  # of a box; numbers of actors are 1 apart


def box_plot(trials: Sequence[Trial], path: Path) -> None:
    """Draw the time of an epoch against the number of actors, with the sequential mean as a dotted line."""
    with sheet(path, 7.0, 4.6) as figure:
        axes = figure.subplots()
        for index, label in enumerate(BOXES):
            _boxes(axes, trials, label, index)
        for arm, label, look in (
            (sequential(BATCH).name, f"sequential, batches of {BATCH}: mean", ":"),
            (all_cores(trials), "the same on all cores: mean", (0, (5, 1.5, 1, 1.5))),
        ):
            if arm and (seconds := epochs(trials, arm)):
                axes.axhline(fmean(seconds), label=label, color="#444444", linestyle=look, linewidth=1.4)
        axes.set_xticks(range(len(ACTORS)), [str(count) for count in ACTORS])
        axes.set(xlabel="actors", ylabel="seconds", xlim=(-0.6, len(ACTORS) - 0.4), ylim=(0, None))
        axes.set_title(f"Training time of an epoch, {_most(trials)} trials")
        figure.legend(loc="outside lower center", ncols=2)


def _boxes(axes: "Axes", trials: Sequence[Trial], label: str, index: int) -> None:
    seconds_at = {at: epochs(trials, CURVES[label](actors).name) for at, actors in enumerate(ACTORS)}
    seconds_at = {at: seconds for at, seconds in seconds_at.items() if seconds}
    at = [position + (index - (len(BOXES) - 1) / 2) * (WIDTH + 0.04) for position in seconds_at]
    colour = COLOURS[index]
    drawn = axes.boxplot(
        list(seconds_at.values()),
        positions=at,
        widths=WIDTH,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": f"{colour}40", "edgecolor": colour},
        whiskerprops={"color": colour},
        capprops={"color": colour},
        medianprops={"color": colour, "linewidth": 1.8},
        flierprops={"marker": ".", "markersize": 4, "markeredgecolor": colour},
    )
    for box in drawn["boxes"][:1]:
        box.set_label(label)


def speed_ups(trials: Sequence[Trial], path: Path) -> None:
    """Draw the speed-ups over the sequential scheme with as many rows an update, and the paper's."""
    with sheet(path, 7.0, 5.0) as figure:
        axes = figure.subplots()
        lines = {label: [speed_up(trials, of(count)) for count in ACTORS] for label, of in CURVES.items()}
        speed_up_curves(axes, ACTORS, lines, reach=max(PAPER.values()))
        style = {**line_style(len(CURVES)), "color": "#444444"}
        axes.plot(range(len(PAPER)), list(PAPER.values()), label="the paper's, on other processors", **style)
        axes.set(xlabel="actors", ylabel="times as fast")
        axes.set_title("Speed-up over sequential training of equal updates, with 95 % intervals")
        figure.legend(loc="outside lower center", ncols=2)


def accuracies(trials: Sequence[Trial], path: Path) -> None:
    """Draw the accuracy after the same number of epochs, and that of sequential training of equal updates."""
    chosen = dict(list(CURVES.items())[:2])  # the others end as one of them does, up to rounding at most
    chosen[f"sequential, {BATCH} rows for each actor"] = lambda actors: sequential(BATCH * actors)
    lines = {label: [_accuracy(trials, of(count)) for count in ACTORS] for label, of in chosen.items()}
    with sheet(path, 7.0, 4.8) as figure:
        axes = figure.subplots()
        curves(axes, ACTORS, lines)
        axes.set(xlabel="actors", ylabel="accuracy")
        axes.set_title(f"Test accuracy after {trials[0].rounds} epochs, with 95 % intervals")
        figure.legend(loc="outside lower center", ncols=2)


def _accuracy(trials: Sequence[Trial], point: Point) -> Interval:
    return mean(list(values(trials, point.name, "accuracy").values()))


def epochs(trials: Sequence[Trial], arm: str) -> list[float]:
    """Return the seconds of an epoch in each trial of an arm."""
    return [trial.seconds / trial.rounds for trial in trials if trial.arm == arm]


def _most(trials: Sequence[Trial]) -> int:
    return 1 + max(trial.number for trial in trials)
