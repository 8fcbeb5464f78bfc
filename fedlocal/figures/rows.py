"""Rows with a name above each: values with their intervals, boxes of many values, parts of a whole.

The names have the whole width to themselves, so that long ones fit on a phone.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedlocal.figures.canvas import (
    CHARACTER,
    COLOURS,
    INK,
    MUTED,
    RULE,
    Drawing,
    Region,
    clean,
    drawable,
    extent,
    hover,
    number,
    shortened,
    unbroken,
)
from fedlocal.figures.timeline import STATES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, EDGE = 360.0, 12.0
ROW, LINE, FOOT = 34.0, 13.0, 38.0
FEW_POINTS = 5
"""Fewer values than these are drawn as points only: a box of them would pretend to more."""


@dataclass(frozen=True)
class PlotRow:
    """A row of a plot.

    Parameters
    ----------
    label : str
        Its name.
    note : str
        The text at its right end.
    value, low, high : float
        An estimate and the ends of its interval, NaN where not known.
    values : tuple of float
        What a box is drawn of, or parts of a whole.
    colour : str
        Hexadecimal.
    """

    label: str
    note: str = ""
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    values: tuple[float, ...] = ()
    colour: str = COLOURS[0]


DrawRow = Callable[["Axes", PlotRow, float], object]


def estimates(rows: Sequence[PlotRow], unit: str, dotted: float | None = None) -> Drawing:
    """Draw a point with its interval in each row; `dotted` is the value at a dotted line."""
    return _scaled(rows, unit, _estimate, dotted)


def boxes(rows: Sequence[PlotRow], unit: str) -> Drawing:
    """Draw the median, the middle half and the reach of the values in each row; few of them as points."""
    return _scaled(rows, unit, _box)


def shares(rows: Sequence[PlotRow]) -> Drawing:
    """Draw the parts of a whole in each row, in the colours of `STATES`."""
    return _drawing(rows, _parts, (0.0, 1.0), "")


def _scaled(rows: Sequence[PlotRow], unit: str, draw_row: DrawRow, dotted: float | None = None) -> Drawing:
    points = [value for row in rows for value in (row.value, *row.values)]
    ends = [end for row in rows for end in (row.low, row.high)]
    limits = extent([*points, *([] if dotted is None else [dotted])], ends)
    return _drawing(rows, draw_row, limits, unit, dotted)


def _drawing(
    rows: Sequence[PlotRow],
    draw_row: DrawRow,
    limits: tuple[float, float],
    unit: str,
    dotted: float | None = None,
) -> Drawing:
    names = [_in_two(unbroken(row.label), WIDTH - 2 * EDGE - 6.5 * len(row.note) - 6) for row in rows]
    bottoms = np.cumsum([ROW + LINE * (len(lines) - 1) for lines in names])
    foot = FOOT if unit else 4.0

    def draw(region: Region) -> None:
        axes = region.panel(EDGE, EDGE, 0, foot)
        axes.set(xlim=limits, ylim=(bottoms[-1], 0), yticks=[])
        axes.xaxis.set_major_formatter(lambda value, _: number(value))
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(unit)
        if unit:
            _scales(axes, bottoms, dotted)
        else:
            axes.set_xticks([])
        for row, lines, bottom in zip(rows, names, bottoms, strict=True):
            _name(axes, row, lines, bottom)
            draw_row(axes, row, bottom - 10)

    return Drawing(WIDTH, float(bottoms[-1]) + foot, draw)


def _scales(axes: "Axes", bottoms: NDArray[np.float64], dotted: float | None) -> None:
    """Draw the grid within the rows, where it crosses no names."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    ups = [y for bottom in bottoms for y in (bottom - 18, bottom - 2, math.nan)]
    axes.plot(np.repeat(ticks, len(ups)), ups * len(ticks), color=RULE, linewidth=0.75, zorder=1)
    if dotted is not None:
        axes.plot([dotted] * len(ups), ups, color=MUTED, linestyle=(0, (1, 1.5)), linewidth=1.25, zorder=1.5)


def _name(axes: "Axes", row: PlotRow, lines: Sequence[str], bottom: float) -> None:
    across = axes.get_yaxis_transform()
    top = bottom - ROW - LINE * (len(lines) - 1)
    for position, line in enumerate(lines):
        words = axes.text(0, top + 12 + LINE * position, line, transform=across, color=INK)
        if "…" in line:
            hover(words, row.label)
    axes.text(1, top + 12, clean(row.note), transform=across, ha="right", color=INK)


def _in_two(name: str, width: float) -> list[str]:
    """Return a name on one line or, cut behind a comma, on two; the rest is left out."""
    most = int(width / CHARACTER)
    if len(name) <= most or (cut := name.rfind(", ", 0, most) + 1) < 1:
        return [shortened(name, width)]
    return [name[:cut], shortened(name[cut:].lstrip(), width)]


def _estimate(axes: "Axes", row: PlotRow, y: float) -> None:
    if not drawable([row.value]):
        return
    (dot,) = axes.plot([row.value], [y], color=row.colour, marker="o", markersize=7)
    hover(dot, f"{row.label}: {row.note}")
    if not (math.isfinite(row.low) and math.isfinite(row.high)):
        return
    low, high = axes.get_xlim()
    axes.hlines(y, max(row.low, low), min(row.high, high), color=row.colour, linewidth=1.5)
    inside = [end for end in (row.low, row.high) if low <= end <= high]
    axes.vlines(inside, y - 4, y + 4, color=row.colour, linewidth=1.5)


def _box(axes: "Axes", row: PlotRow, y: float) -> None:
    values = np.array(drawable(row.values))
    if len(values) < FEW_POINTS:
        axes.plot(values, [y] * len(values), color=row.colour, linestyle="", marker="o", markersize=6)
        return
    lower, middle, upper = np.quantile(values, [0.25, 0.5, 0.75])
    near = np.abs(values - np.clip(values, lower, upper)) <= 1.5 * (upper - lower)
    low, high = values[near].min(), values[near].max()
    axes.hlines([y, y], [low, upper], [lower, high], color=row.colour, linewidth=1.5)
    axes.barh(y, upper - lower, 12, lower, color=f"{row.colour}2e", edgecolor=row.colour, linewidth=1.25)
    axes.vlines(middle, y - 6, y + 6, color=row.colour, linewidth=2.5)
    left, right = axes.get_xlim()
    step = (right - left) / WIDTH  # points that would cover one another are one
    outside = np.unique(np.round(values[~near] / step)) * step
    axes.plot(outside, [y] * len(outside), color=row.colour, linestyle="", marker="o", markersize=3)


def _parts(axes: "Axes", row: PlotRow, y: float) -> None:
    left = 0.0
    for part, (state, colour) in zip(row.values, STATES.items(), strict=True):
        (bar,) = axes.barh(y, part, 11, left, color=colour)
        hover(bar, f"{state}: {part:.0%}")
        left += part
