"""Lines against the round, or against a number that was set, with bands or bars of their intervals."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from fedlocal.figures.canvas import (
    CHARACTER,
    MUTED,
    Drawing,
    Region,
    drawable,
    extent,
    hover,
    line_style,
    number,
    tick_step,
    unbroken,
    write_png,
)
from fedlocal.figures.svg import svg
from fedlocal.results.formatting import fixed
from fedlocal.results.history import History as History  # for `fedlocal`
from fedlocal.results.phases import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

WIDE_RANGE = 50.0
"""A loss whose highest value is this many times its lowest is drawn on a logarithmic scale."""

MOST_PANELS = 4
WIDTH, HEIGHT = 360.0, 230.0
NAME = "fedlocal-curves"
NOTEBOOK_ROOT = '<svg style="display: block; max-width: 100%; height: auto" width="{width:g}pt" '


@dataclass(frozen=True)
class Curve:
    """A line of a plot.

    Parameters
    ----------
    label : str
        Its name.
    style : mapping of str to Any
        As of `line_style`.
    x, y : sequence of float
        Its points, ascending; what is not finite leaves a gap.
    low, high : sequence of float
        The ends of the intervals, as many as points or none.
    """

    label: str
    style: Mapping[str, Any]
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


def draw_curves(
    axes: "Axes", curves: Sequence[Curve], metric: str, *, bars: bool = False, dotted: float | None = None
) -> None:
    """Draw lines, the first one on top, with bands or bars for their intervals.

    Parameters
    ----------
    axes : Axes
        The panel.
    curves : sequence of Curve
        The most important first.
    metric : str
        What is drawn. A loss of a wide range is drawn on a logarithmic scale; a speed-up begins at 0.
    bars : bool
        Whether each point has a bar for its interval; otherwise there are bands, cut off at the edge.
    dotted : float or None
        The value of a dotted line.
    """
    points = drawable([value for curve in curves for value in curve.y])
    if not points:
        axes.text(0.5, 0.5, "nothing was evaluated", transform=axes.transAxes, ha="center", color=MUTED)
        axes.set(xticks=[], yticks=[])
        return
    reached = [*points, *([] if dotted is None else [dotted])]
    if metric == "loss" and min(reached) > 0 and max(reached) / min(reached) > WIDE_RANGE:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter("")
        axes.set_ylim(min(reached) / 1.2, max(reached) * 1.2)
    else:
        ends = [end for curve in curves for end in (*curve.low, *curve.high)] if bars else []
        axes.set_ylim(extent(reached, ends, zero=metric == "speed-up"))
    axes.yaxis.set_major_formatter(lambda value, _: number(value))
    for index, curve in enumerate(curves):
        _draw_curve(axes, curve, index, len(curves), bars=bars)
    if dotted is not None:
        axes.axhline(dotted, color=MUTED, linestyle=(0, (1, 2)), linewidth=1.25)


def _draw_curve(axes: "Axes", curve: Curve, index: int, curves: int, *, bars: bool) -> None:
    values = np.array([*curve.y, *curve.low, *curve.high], dtype=np.float64)
    values[~(np.abs(values) < 1e100)] = np.nan  # a gap where the loss overflowed
    y, *ends = np.split(values, 3 if len(curve.low) else 1)
    order = 3 + curves - index  # the main arm on top
    marked = (0, 1) if bars else _marked(index, curves, len(y))
    (line,) = axes.plot(
        curve.x, y, markevery=marked, zorder=order, **{"label": unbroken(curve.label), **curve.style}
    )
    hover(line, curve.label)
    if not ends:
        return
    colour, (low, high) = curve.style["color"], np.clip(ends, *axes.get_ylim())
    if bars:
        axes.vlines(curve.x, low, high, color=colour, linewidth=1.5, zorder=order)
    else:
        axes.fill_between(curve.x, low, high, color=colour, alpha=0.18, linewidth=0)


def _marked(index: int, lines: int, points: int) -> tuple[int, int]:
    """Return the first marked point and the step, so that lines that coincide show their markers in turn."""
    step = max(lines, points // 20)
    return (index * step // lines, step) if points >= 3 * step else (0, 1)


def curves_drawing(
    curves: Sequence[Curve],
    names: tuple[str, str],
    *,
    bars: bool = False,
    dotted: float | None = None,
    values: Sequence[str] = (),
) -> Drawing:
    """Return a single panel of lines.

    Parameters
    ----------
    curves : sequence of Curve
        The most important first.
    names : tuple of str
        The names of the horizontal axis and of the vertical axis.
    bars, dotted
        As of `draw_curves`.
    values : sequence of str
        Names of the positions 0, 1, … on the horizontal axis, in place of whole numbers.
    """

    def draw(region: Region) -> None:
        axes = region.panel(52, 12, 8, 38)
        draw_curves(axes, curves, names[1], bars=bars, dotted=dotted)
        _name_axes(axes, names[0], values)
        axes.set_ylabel(unbroken(names[1]))

    return Drawing(WIDTH, HEIGHT, draw)


def _name_axes(axes: "Axes", name: str, values: Sequence[str] = ()) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(unbroken(name))
    if values:
        room = max(len(value) for value in values) * CHARACTER + 6
        step = tick_step(len(values), max(1, int((WIDTH - 64) / room)))
        axes.set_xticks(range(0, len(values), step), [unbroken(value) for value in values[::step]])
        axes.set_xlim(-0.3, len(values) - 0.7)
    elif len(axes.get_xticks()):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def learning_curves(
    histories: Mapping[str, History],
    path: str | os.PathLike[str],
    title: str = "Learning curves",
    where: str = "on the test set",
    metrics: Sequence[str] = ("accuracy", "loss"),
) -> None:
    """Draw metrics of the global model against the round, a panel each, one line a history.

    Parameters
    ----------
    histories : Mapping[str, History]
        By the names of the arms, the main one first. A metric that no history has gets no panel.
    path : path-like
        The PNG to write.
    title : str
        Above the panels.
    where : str
        Whose rows the metrics are of; above each panel.
    metrics : sequence of str
        What to draw; by default the accuracy and the loss on the test set.

    Raises
    ------
    ResultsError
        If the file cannot be written.
    """
    reported = metrics_of(histories)
    panels = [name for name in metrics if name in reported] or ["loss"]
    write_png([_learning(histories, panels, where)], path, title)


def metrics_of(histories: Mapping[str, History]) -> set[str]:
    """Return the names of the global metrics that any history has."""
    return {name for history in histories.values() for name in history.metric_names}


def curves_svg(histories: Mapping[str, History], where: str = "") -> str:
    """Draw accuracy and loss, or else the other metrics, against the round as an ``<svg>`` element.

    Parameters
    ----------
    histories : Mapping[str, History]
        By the names of the arms, the main one first.
    where : str
        Whose rows the metrics are of, such as ``on the test set``; above each panel.

    Returns
    -------
    str
        As of `fedlocal.figures.svg.svg`; screen readers are told the first and the last values. Empty if
        nothing was evaluated.
    """
    panels = shown(metrics_of(histories))[:MOST_PANELS]
    if not panels:
        return ""
    drawing, words = _learning(histories, panels, where), described(histories, panels)
    drawn = svg(drawing, NAME, "Learning curves", words)
    distinct = f"curves-{sha256(drawn.encode()).hexdigest()[:12]}"  # a page may hold several
    return drawn.replace(NAME, distinct).replace("<svg ", NOTEBOOK_ROOT.format(width=drawing.width), 1)


@History.drawn_by
def history_svg(history: History) -> str:
    """Draw the curves of a history, as it shows them in a notebook."""
    return curves_svg({"history": history})


def _learning(histories: Mapping[str, History], panels: Sequence[str], where: str) -> Drawing:
    """Return a panel for each metric, and a legend below them where there are several lines."""
    width, longest = 300.0 * len(panels), max(map(len, histories), default=0)
    columns = max(1, min(len(histories), int(width / (CHARACTER * longest + 60))))
    foot = 8.0 + 15 * -(-len(histories) // columns) if len(histories) > 1 else 0.0

    def draw(region: Region) -> None:
        lines: Sequence[Line2D] = ()
        for position, metric in enumerate(panels):
            left, right = 300.0 * position + 50, width - 300.0 * (position + 1) + 14
            axes = region.panel(left, right, 24, 40 + foot)
            series = [(name, *history.series(metric)) for name, history in histories.items()]
            curves = [Curve(name, line_style(index), x, y) for index, (name, x, y) in enumerate(series)]
            draw_curves(axes, curves, metric)
            _name_axes(axes, "round")
            axes.set_title(f"{metric} {where}".strip())
            lines = lines or axes.get_lines()
        if foot and lines:
            region.figure.legend(handles=lines, loc="lower center", ncols=columns)

    return Drawing(width, 250.0 + foot, draw)


def described(histories: Mapping[str, History], metrics: Sequence[str]) -> str:
    """Say in words what the curves show."""
    lines = []
    for name, history in histories.items():
        ways = []
        for metric in metrics:
            rounds, values = history.series(metric)
            if values:
                ways.append(
                    f"{metric} {fixed(values[0])} in round {rounds[0]}, {fixed(values[-1])} in {rounds[-1]}"
                )
        lines.append(f"{name}: {'; '.join(ways) or 'not evaluated'}")
    return ". ".join(lines) + "."
