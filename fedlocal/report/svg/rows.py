"""Rows with a name above each: values with their intervals, boxes of many values, parts of a whole.

The names have the whole width to themselves, so that long ones fit on a phone.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from fedlocal.report.svg.axes import Scale, number, padded, reach
from fedlocal.report.svg.element import WIDTH, Figure, element, in_two, rect, text

LEFT, RIGHT = 6.0, 12.0
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
    style : str
        ``s0`` to ``s6``, or ``base``.
    value, low, high : float
        An estimate and the ends of its interval, NaN where not known.
    values : tuple of float
        The values that a box is drawn of.
    """

    label: str
    note: str = ""
    style: str = "s0"
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    values: tuple[float, ...] = ()


def estimates(
    rows: Sequence[PlotRow], title: str, description: str, unit: str, *, dotted: float | None = None
) -> Figure:
    """Draw a point with its interval in each row; `dotted` is the value at a dotted line."""
    return _rows(rows, title, description, unit, _estimate, dotted)


def boxes(rows: Sequence[PlotRow], title: str, description: str, unit: str) -> Figure:
    """Draw the median, the middle half and the reach of the values in each row; few of them as points."""
    return _rows(rows, title, description, unit, _box, None)


def shares(
    rows: Sequence[tuple[str, Sequence[float]]], title: str, description: str, legend: Sequence[str]
) -> Figure:
    """Draw parts of a whole in each row, named by the legend, with the first one's percentage."""
    scale, content, top = Scale(0.0, 1.0, LEFT, WIDTH - RIGHT), [], 0.0
    for label, parts in rows:
        name, height = _name(label, f"{parts[0]:.0%}", top)
        content += name
        left = 0.0
        for part, share in enumerate(parts):
            width = scale(left + share) - scale(left)
            content.append(rect(scale(left), top + height - 17, width, 11, f"p{part}", f"{share:.0%}"))
            left += share
        top += height
    styles = tuple((f"p{part}", name) for part, name in enumerate(legend))
    return Figure(title, description, top, tuple(content), styles)


def _rows(
    rows: Sequence[PlotRow],
    title: str,
    description: str,
    unit: str,
    draw: Callable[[PlotRow, Scale, float], list[Element]],
    dotted: float | None,
) -> Figure:
    points = [value for row in rows for value in (row.value, *row.values) if math.isfinite(value)]
    room = reach(points)
    bars = [value for row in rows for value in (row.low, row.high) if room[0] <= value <= room[1]]
    extent = [*points, *bars, *([dotted] if dotted is not None else [])]
    scale = Scale(*padded(extent), LEFT, WIDTH - RIGHT)
    named: list[Element] = []
    bottom = 2.0
    for row in rows:
        name, height = _name(row.label, row.note, bottom - 2)
        named += [*name, *draw(row, scale, bottom + height - 14)]
        bottom += height
    ticks = scale.ticks(6)
    content = [element("path", d="".join(f"M{scale(x):.1f} 0V{bottom:.1f}" for x in ticks), class_="grid")]
    if dotted is not None:
        content.append(element("path", d=f"M{scale(dotted):.1f} 0V{bottom:.1f}", class_="even"))
    content += named
    content += [text(number(x), scale(x), bottom + 13, "tick " + _anchor(scale(x))) for x in ticks]
    content.append(text(unit, WIDTH / 2, bottom + 29, "name middle"))
    return Figure(title, description, bottom + FOOT, tuple(content))


def _anchor(x: float) -> str:
    return "middle" if 16 < x < WIDTH - 16 else "start" if x <= 16 else "end"


def _name(label: str, note: str, top: float) -> tuple[list[Element], float]:
    """Return a row's name with the note at its right, and the height of the row."""
    shown = in_two(label, WIDTH - LEFT - RIGHT - 6.5 * len(note) - 6)
    title = label if "…" in shown[-1] else None
    words = [text(part, LEFT, top + 12 + LINE * k, "label", title=title) for k, part in enumerate(shown)]
    words.append(text(note, WIDTH - RIGHT, top + 12, "label end"))
    return words, ROW + LINE * (len(shown) - 1)


def _estimate(row: PlotRow, scale: Scale, y: float) -> list[Element]:
    if not math.isfinite(row.value):
        return []
    dot = element("circle", cx=scale(row.value), cy=y, r=4, class_=f"dot {row.style}")
    if not (math.isfinite(row.low) and math.isfinite(row.high)):
        return [dot]
    ends = scale(max(row.low, scale.low)), scale(min(row.high, scale.high))
    inside = [scale(end) for end in (row.low, row.high) if scale.low <= end <= scale.high]
    whisker = "".join(f"M{x:.1f} {y - 4:.1f}V{y + 4:.1f}" for x in inside)
    return [
        element("path", d=f"M{ends[0]:.1f} {y:.1f}H{ends[1]:.1f}{whisker}", class_=f"bar {row.style}"),
        dot,
    ]


def _box(row: PlotRow, scale: Scale, y: float) -> list[Element]:
    if len(row.values) < FEW_POINTS:
        return [
            element("circle", cx=scale(value), cy=y, r=3.5, class_=f"dot {row.style}") for value in row.values
        ]
    low, lower, middle, upper, high = np.quantile(row.values, [0, 0.25, 0.5, 0.75, 1])
    reach = 1.5 * (upper - lower)
    inside = [value for value in row.values if lower - reach <= value <= upper + reach]
    low, high = min(inside), max(inside)
    outside = sorted({round(scale(value), 1) for value in row.values if not low <= value <= high})
    ends = f"M{scale(low):.1f} {y:.1f}H{scale(lower):.1f}M{scale(upper):.1f} {y:.1f}H{scale(high):.1f}"
    box = element("rect", x=scale(lower), y=y - 6, width=max(1.0, scale(upper) - scale(lower)), height=12,
                  class_=f"box {row.style}")  # fmt: skip
    median = element("path", d=f"M{scale(middle):.1f} {y - 6:.1f}V{y + 6:.1f}", class_=f"median {row.style}")
    dots = [element("circle", cx=x, cy=y, r=1.6, class_=f"dot {row.style}") for x in outside]
    return [element("path", d=ends, class_=f"bar {row.style}"), box, median, *dots]
