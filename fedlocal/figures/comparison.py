"""The runs of a sweep in one figure: how good, and how much faster than the baseline."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedlocal.figures.canvas import COLOURS, line_style, sheet, tick_step
from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.formatting import is_finite
from fedlocal.results.runs import SweepRow, differing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REPEAT = "seed"
"""Runs that differ in this alone are one point, with the range of their values."""

MOST_LABELS, LONGEST_LABEL = 100, 80


@dataclass(frozen=True)
class Measure:
    """What a panel shows of a run."""

    title: str
    of: Callable[[SweepRow], float | None]
    even: float | None = None
    """The value of no difference, drawn as a dotted line."""

    def spread(self, rows: Sequence[SweepRow]) -> tuple[float, float, float]:
        """Return mean, minimum and maximum over runs; NaN where none has a value."""
        values = [value for row in rows if (value := self.of(row)) is not None and np.isfinite(value)]
        return (float(np.mean(values)), min(values), max(values)) if values else (np.nan, np.nan, np.nan)


Groups = dict[tuple[str, ...], list[SweepRow]]
"""Runs that were set up alike but for the seed, by the values of the keys that differ."""


def comparison(rows: Sequence[SweepRow], path: str | os.PathLike[str], title: str | None = None) -> None:
    """Draw final accuracy and speed-up of the runs of a sweep, by what differs between them.

    A number that takes three or more values, such as the number of actors, becomes the horizontal axis, with
    a curve for each setting of the rest. Otherwise each setting has a line of its own, with its name. Runs
    that differ in their seed alone are drawn as their mean with the range. Where no run has an accuracy, the
    loss takes its place.

    Parameters
    ----------
    rows : sequence of SweepRow
        The runs; those that did not complete are counted in a note.
    path : path-like
        The PNG to write.
    title : str or None
        Above the figure.

    Raises
    ------
    ResultsError
        If no run has completed, or the file cannot be written.
    """
    done = [row for row in rows if row.main is not None]
    if not done:
        msg = f"none of {len(rows)} runs has completed: there is nothing to compare"
        raise ResultsError(msg)
    keys = [key for key in differing(done) if key != REPEAT]
    groups: Groups = {}
    for row in done:
        groups.setdefault(tuple(row.overrides.get(key, "default") for key in keys), []).append(row)
    axis = _numeric_axis(list(groups), len(keys))
    measures = _measures(done)
    size = _size(groups, keys, len(measures)) if axis is None else (2.0 + 4.0 * len(measures), 4.4)
    with sheet(path, *size) as figure:
        figure.suptitle(title or _title(len(done), len(rows) - len(done), repeated=len(groups) < len(done)))
        if axis is None:
            _labelled(figure, groups, keys, measures)
        else:
            _curves(figure, groups, keys, axis, measures)


def _title(done: int, incomplete: int, *, repeated: bool) -> str:
    parts = [f"Comparison of {done} run{'s' if done != 1 else ''}"]
    parts += ["mean and range over seeds"] if repeated else []
    parts += [f"{incomplete} more did not complete"] if incomplete else []
    return "; ".join(parts)


def _size(groups: Groups, keys: Sequence[str], panels: int) -> tuple[float, float]:
    longest = max(len(_label(keys, setting)) for setting in groups)
    return 1.0 + 0.075 * longest + 3.6 * panels, 1.7 + 0.3 * min(len(groups), MOST_LABELS)


def _measures(done: Sequence[SweepRow]) -> list[Measure]:
    accurate = any(row.main is not None and row.main.accuracy is not None for row in done)
    quality = "accuracy" if accurate else "loss"
    measures = [Measure(f"final {quality}", lambda row: getattr(row.main, quality))]
    baseline = next((name for row in done for name in row.speed_ups), None)
    if baseline is not None:
        measures.append(
            Measure(f"speed-up over {baseline}", lambda row: row.speed_ups.get(baseline), even=1.0)
        )
    return measures


def _numeric_axis(settings: Sequence[tuple[str, ...]], keys: int) -> int | None:
    """Return the position of the key with the most values, all numbers, if the rest makes few curves."""
    best, most = None, 2
    for key in range(keys):
        values = {setting[key] for setting in settings}
        curves = {setting[:key] + setting[key + 1 :] for setting in settings}
        if len(values) > most and all(map(is_finite, values)) and len(curves) <= len(COLOURS):
            best, most = key, len(values)
    return best


def _curves(
    figure: "Figure", groups: Groups, keys: Sequence[str], axis: int, measures: Sequence[Measure]
) -> None:
    values = sorted({setting[axis] for setting in groups}, key=float)
    positions = {value: index for index, value in enumerate(values)}
    rest = dict.fromkeys(setting[:axis] + setting[axis + 1 :] for setting in groups)
    names = [key for key in keys if key != keys[axis]]
    apart = 0.05 if any(len(rows) > 1 for rows in groups.values()) else 0.0  # ranges would hide one another
    for panel, measure in zip(_panels(figure, measures), measures, strict=True):
        panel.set(title=measure.title, xlabel=keys[axis])
        step = tick_step(len(values), 12)
        panel.set_xticks(range(0, len(values), step), values[::step])
        for index, curve in enumerate(rest):
            points = sorted(
                (positions[setting[axis]], *measure.spread(rows))
                for setting, rows in groups.items()
                if setting[:axis] + setting[axis + 1 :] == curve
            )
            x, mean, low, high = np.array(points).T
            x += apart * (index - (len(rest) - 1) / 2)
            style = line_style(index)
            panel.errorbar(x, mean, [mean - low, high - mean], label=_label(names, curve), **style)
        if measure.even is not None:
            panel.axhline(measure.even, color="#666666", linestyle=":", linewidth=1)
            panel.set_ylim(bottom=0)
    if names:
        handles, labels = figure.axes[0].get_legend_handles_labels()
        title = names[0] if len(names) == 1 else None
        figure.legend(handles, labels, title=title, loc="outside lower center", ncols=min(4, len(labels)))


def _labelled(figure: "Figure", groups: Groups, keys: Sequence[str], measures: Sequence[Measure]) -> None:
    labels = [_label(keys, setting) for setting in groups]
    positions = np.arange(len(groups))
    panels = _panels(figure, measures, sharey=True)
    for panel, measure in zip(panels, measures, strict=True):
        mean, low, high = np.array([measure.spread(rows) for rows in groups.values()]).T
        panel.errorbar(mean, positions, xerr=[mean - low, high - mean], fmt="o", color=COLOURS[0])
        panel.set_title(measure.title)
        if measure.even is not None:
            panel.axvline(measure.even, color="#666666", linestyle=":", linewidth=1)
            panel.set_xlim(0, 1.1 * float(np.nanmax(high, initial=1.0)))
    step = tick_step(len(labels), MOST_LABELS)
    panels[0].set_yticks(positions[::step], labels[::step])
    panels[0].set_ylim(len(labels) - 0.5, -0.5)  # the first run at the top
    panels[0].set_ylabel(keys[0] if len(keys) == 1 else "")


def _panels(figure: "Figure", measures: Sequence[Measure], *, sharey: bool = False) -> "list[Axes]":
    return list(figure.subplots(1, len(measures), squeeze=False, sharey=sharey)[0])


def _label(keys: Sequence[str], values: Sequence[str]) -> str:
    if len(keys) == 1:
        return values[0]  # the key stands on the axis or in the legend's title
    settings = (f"{key.rpartition('.')[2]}={value}" for key, value in zip(keys, values, strict=True))
    text = ", ".join(settings) or "all runs"
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"
