"""The figures of the study of partitions: a heat map of lost accuracy, and idle time against skewed sizes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.intervals import Interval
from experiments.outcomes import Trial
from experiments.partitions.arms import FEATURES, LABELS, SIZES, Division
from experiments.partitions.measures import WORKERS, idle, least_idle, loss
from experiments.reports import bars
from fedlocal.figures.canvas import COLOURS, MARKERS, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACTORS = 10
MOST = 20  # points of lost accuracy that have a colour of their own


def draw_losses(
    trials: Sequence[Trial], divisions: Sequence[Division], strategies: Sequence[str], path: Path
) -> None:
    """Draw how much accuracy each strategy loses on each division against fedavg on IID data."""
    lost = np.array(
        [[loss(trials, strategy, division).estimate for strategy in strategies] for division in divisions]
    )
    with sheet(path, 7.2, 7.6) as figure:
        axes = figure.subplots()
        image = axes.imshow(lost, aspect="auto", cmap="RdBu_r", vmin=-MOST, vmax=MOST)
        axes.grid(visible=False)
        for (row, column), value in np.ndenumerate(np.round(lost, 1) + 0.0):  # not -0.0
            if not np.isnan(value):
                colour = "white" if abs(value) > 0.7 * MOST else "black"
                axes.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour, fontsize=8)
        axes.set_xticks(range(len(strategies)), strategies)
        axes.set_yticks(range(len(divisions)), [division.name for division in divisions])
        for group in (LABELS, SIZES, FEATURES):
            axes.axhline(divisions.index(group[0]) - 0.5, color="black", linewidth=1.2)
        figure.suptitle("Accuracy lost against fedavg on IID data")
        figure.colorbar(image, ax=axes, label="percentage points, mean of the trials", extend="both")


def draw_idle(trials: Sequence[Trial], divisions: Sequence[Division], path: Path) -> None:
    """Draw the idle share against the share of the largest actor, and what sizes alone would make of it."""
    idle_shares = {division.name: point for division in divisions if (point := idle(trials, division))}
    with sheet(path, 7.0, 5.0) as figure:
        axes = figure.subplots()
        measured = [(point.largest, point.measured) for point in idle_shares.values()]
        apart = [(point.largest, point.apart) for point in idle_shares.values()]
        _compare(axes, measured, "2 workers", WORKERS, 0)
        _compare(axes, apart, "a core each", ACTORS, 1)
        for name, point in idle_shares.items():
            above = (point.largest, point.apart.estimate)
            axes.annotate(name, above, (-3, 7), textcoords="offset points", fontsize=7, rotation=60)
        axes.set(xscale="log", xlim=(9.5, 105), ylim=(0, 118), yticks=range(0, 101, 20))
        axes.set_xticks([10, 20, 30, 50, 70, 100], ["10", "20", "30", "50", "70", "100"])
        axes.minorticks_off()
        axes.set(
            xlabel="rows of the largest of 10 actors, percent", ylabel="idle, percent of the cores' time"
        )
        axes.set_title("Cores that wait for the actor with the most rows")
        figure.legend(loc="outside lower center", ncols=2)


def _compare(
    axes: "Axes", points: Sequence[tuple[float, Interval]], what: str, cores: int, index: int
) -> None:
    """Draw idle shares, and the line on which they would lie if time went by rows."""
    colour, marker = COLOURS[index], MARKERS[index]
    shares = np.linspace(100 / ACTORS, 100, 200)
    least = [least_idle(share, cores) for share in shares]
    axes.plot(shares, least, color=colour, linewidth=1, label=f"{what}, if time went by rows")
    x, y = [share for share, _ in points], [value.estimate for _, value in points]
    ends = bars([value for _, value in points])
    axes.errorbar(x, y, ends, fmt=marker, color=colour, capsize=2, label=what)
