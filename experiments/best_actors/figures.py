"""The study's figure: each sweep with its intervals, what was predicted, and what was chosen."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from experiments.best_actors.settings import Setting
from experiments.best_actors.sweeps import Sweep
from experiments.reports import bars
from fedlocal.figures.canvas import COLOURS, line_style, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def sweeps(results: Sequence[tuple[Setting, Sweep]], path: Path) -> None:
    """Draw a panel for each setting: seconds of a round against the number of actors."""
    rows = -(-len(results) // 2)
    with sheet(path, 10.0, 0.8 + 3.4 * rows) as figure:
        panels = figure.subplots(rows, 2, squeeze=False).flat
        for (setting, sweep), axes in zip(results, panels, strict=False):
            _panel(axes, setting, sweep)
        for axes in list(panels)[len(results) :]:
            axes.set_axis_off()
        handles, labels = figure.axes[0].get_legend_handles_labels()
        named = dict(zip(labels, handles, strict=True))
        figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=len(named))


def _panel(axes: "Axes", setting: Setting, sweep: Sweep) -> None:
    places = {actors: at for at, actors in enumerate(sorted(sweep.seconds.keys() | sweep.predictions.keys()))}
    _choices(axes, places, sweep)
    _measured(axes, places, sweep)
    _predicted(axes, places, sweep)
    axes.set_xticks(list(places.values()), [str(actors) for actors in places])
    axes.set(xlabel="actors", ylabel="seconds a round", ylim=(0, None))
    axes.set_title(setting.title.replace(": ", ":\n"))


def _choices(axes: "Axes", places: Mapping[int, int], sweep: Sweep) -> None:
    """Shade what was chosen, wider if more often."""
    for actors, count in Counter(sweep.choices.values()).items():
        half = 0.4 * count / len(sweep.choices)
        axes.axvspan(
            places[actors] - half, places[actors] + half, color="#f0e6c0", label="chosen by actors=auto"
        )


def _measured(axes: "Axes", places: Mapping[int, int], sweep: Sweep) -> None:
    intervals = [sweep.measured(actors) for actors in sweep.seconds]
    axes.errorbar(
        [places[actors] for actors in sweep.seconds],
        [interval.estimate for interval in intervals],
        bars(intervals),
        label="measured, 95 % interval",
        capsize=3,
        **line_style(0),
    )


def _predicted(axes: "Axes", places: Mapping[int, int], sweep: Sweep) -> None:
    """Draw the mean of the pilots' predictions, and shade from the least to the most."""
    at, predictions = [places[actors] for actors in sweep.predictions], list(sweep.predictions.values())
    axes.plot(
        at, [fmean(seconds) for seconds in predictions], label="predicted by the pilots", **line_style(1)
    )
    axes.fill_between(
        at,
        [min(seconds) for seconds in predictions],
        [max(seconds) for seconds in predictions],
        color=COLOURS[1],
        alpha=0.15,
    )
