"""Lines against the round or against a number that was set, with the bands or bars of their intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from fedlocal.report.svg.axes import HEIGHT, PlotFrame, frame, padded, reach
from fedlocal.report.svg.element import Figure, element, line, path

COLOURS = 7
"""The number of lines that can be told apart; ``page.css`` has a colour and dashes for each."""

WIDE_RANGE = 50.0
"""A loss whose highest value is this many times its lowest is drawn on a logarithmic scale."""


@dataclass(frozen=True)
class PlotLine:
    """A line of a plot.

    Parameters
    ----------
    label : str
        Its name in the legend.
    style : str
        A class of the style sheet: ``s0`` to ``s6``, ``base`` for a baseline, ``other`` for the background.
    x, y : sequence of float
        Its points, ascending; NaN leaves a gap.
    low, high : sequence of float
        The ends of the intervals, as many as points or none.
    """

    label: str
    style: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


def lines(
    drawn: Sequence[PlotLine],
    title: str,
    description: str,
    names: tuple[str, str],
    *,
    marked: bool = False,
    dotted: float | None = None,
    zero: bool = False,
    x_ticks: Sequence[tuple[float, str]] = (),
    log: bool = False,
) -> Figure:
    """Draw lines.

    Parameters
    ----------
    drawn : sequence of PlotLine
        The most important first; it is drawn on top.
    title, description : str
        In words.
    names : tuple of str
        The names of the horizontal axis and of the vertical axis.
    marked : bool
        Whether each point is marked, with a bar for its interval; otherwise there are bands.
    dotted : float or None
        A value to draw a dotted line at.
    zero : bool
        Whether the vertical axis begins at 0.
    x_ticks : sequence of tuple of float and str
        Values and names on the horizontal axis, in place of round numbers.
    log : bool
        Whether a wide range of values is drawn on a logarithmic scale.
    """
    ends = _ends(drawn, marked=marked) + ([dotted] if dotted is not None else [])
    wide = log and min(ends, default=0) > 0 and max(ends) / min(ends) > WIDE_RANGE
    ys = (min(ends) / 1.2, max(ends) * 1.2) if wide else padded(ends, zero=zero)
    xs = [value for curve in drawn for value in curve.x]
    plot = frame(_x_range(xs, marked=marked), ys, *names, log=wide, x_ticks=x_ticks)
    content: list[Element] = plot.elements()
    if dotted is not None:
        y = plot.y(dotted)
        content.append(element("path", d=f"M{plot.x.start:.1f} {y:.1f}H{plot.x.end:.1f}", class_="even"))
    for curve in reversed(drawn):
        content += _with_bars(curve, plot) if marked else _with_band(curve, plot)
    legend = tuple((curve.style, curve.label) for curve in drawn) if marked and len(drawn) > 1 else ()
    return Figure(title, description, HEIGHT, tuple(content), legend)


def _ends(drawn: Sequence[PlotLine], *, marked: bool) -> list[float]:
    """Return what the axis must reach: all points, and bars (not bands) that do not dwarf them."""
    points = [value for curve in drawn for value in curve.y if math.isfinite(value)]
    if not marked:
        return points
    room = reach(points)
    bars = [value for curve in drawn for value in (*curve.low, *curve.high) if room[0] <= value <= room[1]]
    return [*points, *bars]


def _x_range(xs: Sequence[float], *, marked: bool) -> tuple[float, float]:
    low, high = min(xs, default=0.0), max(xs, default=1.0)
    room = 0.06 * (high - low) if marked else 0.0
    return (low - room, high + room) if high > low else (low - 0.5, high + 0.5)


def _positions(xs: Sequence[float], ys: Sequence[float], plot: PlotFrame) -> list[tuple[float, float]]:
    low, high = sorted((plot.y.low, plot.y.high))
    return [
        (plot.x(x), plot.y(min(max(y, low), high)) if math.isfinite(y) else math.nan)
        for x, y in zip(xs, ys, strict=True)
    ]


def _with_band(curve: PlotLine, plot: PlotFrame) -> list[Element]:
    parts = []
    finite = [
        k for k, ends in enumerate(zip(curve.low, curve.high, strict=True)) if all(map(math.isfinite, ends))
    ]
    if finite:
        xs = [curve.x[k] for k in finite]
        above = _positions(xs, [curve.high[k] for k in finite], plot)
        below = _positions(xs, [curve.low[k] for k in finite], plot)
        parts.append(element("path", d=f"{line([*above, *reversed(below)])}Z", class_=f"band {curve.style}"))
    positions = _positions(curve.x, curve.y, plot)
    shown = path(positions, f"line {curve.style}")
    dots = [_dot(*positions[-1], curve)] if len(positions) == 1 and math.isfinite(positions[0][1]) else []
    shown.append(element("title", curve.label))
    return [*parts, shown, *dots]


def _with_bars(curve: PlotLine, plot: PlotFrame) -> list[Element]:
    positions = _positions(curve.x, curve.y, plot)
    parts = [path(positions, f"line {curve.style}")]
    if curve.low:
        low, high = (_positions(curve.x, ends, plot) for ends in (curve.low, curve.high))
        bars = "".join(
            f"M{x:.1f} {below:.1f}V{above:.1f}"
            for (x, below), (_, above) in zip(low, high, strict=True)
            if math.isfinite(below) and math.isfinite(above)
        )
        parts.append(element("path", d=bars, class_=f"bar {curve.style}"))
    return [*parts, *(_dot(x, y, curve) for x, y in positions if math.isfinite(y))]


def _dot(x: float, y: float, curve: PlotLine) -> Element:
    return element("circle", element("title", curve.label), cx=x, cy=y, r=3, class_=f"dot {curve.style}")
