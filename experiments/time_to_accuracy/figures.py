"""The study's figures: accuracy against time and against passes, and the time to each target."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from experiments.intervals import mean
from experiments.time_to_accuracy.arms import BASE, METHODS, TARGETS, Method
from experiments.time_to_accuracy.reaching import Moment, reached
from fedlocal.figures.canvas import COLOURS, DASHES, MARKERS, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Courses = Mapping[Method, Mapping[int, Sequence[Moment]]]
"""Of each method, by the number of the trial."""

SCHEMES = {"sequential": COLOURS[6], "batch_parallel": COLOURS[0], "federated": COLOURS[1]}
LOWEST = 0.06  # how far below the first target accuracies are drawn


def accuracies(courses: Courses, path: Path) -> None:
    """Draw the trials' mean accuracy against their mean training time, and against passes."""
    highest = max(moment.accuracy for runs in courses.values() for run in runs.values() for moment in run)
    with sheet(path, 11.0, 5.6) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for method, runs in courses.items():
            rounds = [Moment(*map(fmean, zip(*at, strict=True))) for at in zip(*runs.values(), strict=True)]
            for axes, measure in zip(panels, ("seconds", "passes"), strict=True):
                at = [getattr(moment, measure) for moment in rounds]
                axes.plot(at, [moment.accuracy for moment in rounds], label=method.label, **_style(method))
        for axes in panels:
            for target in TARGETS:
                axes.axhline(target, color="#666666", linestyle=":", linewidth=1)
            axes.set(ylim=(TARGETS[0] - LOWEST, max(highest, TARGETS[-1]) + 0.005), xlim=(0, None))
        panels[0].set(xlabel="seconds of training", ylabel="accuracy on the test set")
        panels[1].set(xlabel="passes over the data")
        trials = max(len(runs) for runs in courses.values())
        figure.suptitle(f"Accuracy against time and passes, means (trials: {trials}); dotted: the targets")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)


def times_to_targets(courses: Courses, path: Path) -> None:
    """Draw the seconds to each target, with their intervals."""
    with sheet(path, 11.0, 1.6 + 0.34 * len(courses)) as figure:
        panels = figure.subplots(1, len(TARGETS), sharey=True)
        for axes, target in zip(panels, TARGETS, strict=True):
            for row, (method, runs) in enumerate(courses.items()):
                _time(axes, row, [reached(run, target) for run in runs.values()], SCHEMES[method.scheme])
            axes.set(title=f"to an accuracy of {target}", xlabel="seconds of training", xlim=(0, None))
            axes.margins(x=0.1)
            axes.grid(visible=False, axis="y")
        panels[0].set_yticks(range(len(courses)), [method.label for method in courses])
        panels[0].invert_yaxis()
        figure.suptitle("Time to accuracy, with 95 % intervals")


def _time(axes: "Axes", row: int, moments: Sequence[Moment | None], colour: str) -> None:
    seconds = [moment.seconds for moment in moments if moment]
    if len(seconds) < len(moments):
        note = f" reached by {len(seconds)} of {len(moments)}" if seconds else " not reached"
        axes.annotate(note, (0, row), color="#666666", fontsize=8, va="center")
        return
    interval = mean(seconds)
    axes.barh(row, interval.estimate, 0.6, color=colour, alpha=0.75)
    if len(seconds) > 1:
        axes.hlines(row, interval.low, interval.high, color="black", linewidth=1.4)


def _style(method: Method) -> dict[str, Any]:
    """Return the look of a line: its colour is the scheme's, dashes and markers tell its methods apart."""
    alike = [other for other in METHODS if other.scheme == method.scheme]
    index = alike.index(method)
    return {
        "color": SCHEMES[method.scheme],
        "linestyle": DASHES[index],
        "marker": MARKERS[index],
        "markersize": 3.5,
        "linewidth": 1.8 if method == BASE else 1.3,
        "zorder": 4 if method == BASE else 3,
    }
