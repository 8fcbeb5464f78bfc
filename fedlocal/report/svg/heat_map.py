"""Partitions, a line for each actor: shares of the labels, or the spread of the targets."""

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from fedlocal.report.svg.axes import Scale, number, padded
from fedlocal.report.svg.element import CHARACTER, WIDTH, Figure, element, rect, shortened, text

LEVELS = 8
"""Shades of the style sheet, ``h0`` to ``h8``; the root of a share chooses one, so that rare labels show."""

MOST_ROWS, MOST_COLUMNS = 40, 100
LEFT, SIZES = 34.0, 58.0  # room for the actors' numbers, and for the bars of their sizes
FEW_LINES = 16  # have room for numbers


def spaced(length: int, most: int) -> range:
    """Return positions at even distances, no more than so many."""
    return range(0, length, max(1, -(-length // most)))


def heat_map(
    counts: Sequence[Sequence[float]],
    actors: Sequence[int],
    classes: Sequence[str],
    sizes: Sequence[float],
    title: str,
    description: str,
) -> Figure:
    """Draw the share of each label in each actor's rows, and the actors' sizes as bars.

    Parameters
    ----------
    counts : sequence of sequence of float
        A line for each actor, a number for each class.
    actors : sequence of int
        Their numbers.
    classes : sequence of str
        Their names.
    sizes : sequence of float
        Rows of each actor.
    title, description : str
        In words.
    """
    lines, columns = spaced(len(counts), MOST_ROWS), spaced(len(classes), MOST_COLUMNS)
    left, right = LEFT, WIDTH - SIZES
    width = (right - left) / max(1, len(columns))
    height = 17.0 if len(lines) <= FEW_LINES else 8.0
    shaded: dict[int, list[str]] = {}
    for row, actor in enumerate(lines):
        for column, label in enumerate(columns):
            part = max(0.0, min(1.0, counts[actor][label] / (sizes[actor] or 1.0)))
            cell = _cell(left + column * width, row * height, width - 0.7, height - 0.7)
            shaded.setdefault(math.ceil(LEVELS * math.sqrt(part)), []).append(cell)
    levels = sorted(shaded.items())
    content = [element("path", d="".join(cells), class_=f"h{level}") for level, cells in levels]
    content += _actors([actors[row] for row in lines], height)
    content += _bars([sizes[row] for row in lines], height)
    bottom = len(lines) * height
    named, foot = _classes([classes[label] for label in columns], left, width, bottom)
    return Figure(title, description, bottom + foot, (*content, *named))


def _cell(left: float, top: float, width: float, height: float) -> str:
    return f"M{left:.1f} {top:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"


def spread(
    quantiles: Sequence[Sequence[float]],
    actors: Sequence[int],
    sizes: Sequence[float],
    title: str,
    description: str,
) -> Figure:
    """Draw the reach, the middle half and the median of each actor's targets, and the actors' sizes as bars.

    Parameters
    ----------
    quantiles : sequence of sequence of float
        Five for each actor, ascending; NaN of an actor that owns nothing.
    actors, sizes : sequence
        As in `heat_map`.
    title, description : str
        In words.
    """
    lines = spaced(len(quantiles), MOST_ROWS)
    finite = [value for row in lines for value in quantiles[row] if math.isfinite(value)]
    scale = Scale(*padded(finite), LEFT, WIDTH - SIZES - 4)
    height = 17.0 if len(lines) <= FEW_LINES else 8.0
    bottom, ticks = len(lines) * height, scale.ticks(6)
    content = [element("path", d="".join(f"M{scale(x):.1f} 0V{bottom:.1f}" for x in ticks), class_="grid")]
    for position, row in enumerate(lines):
        if all(map(math.isfinite, quantiles[row])):
            content += _spread_of(
                [scale(value) for value in quantiles[row]], position * height + height / 2, height
            )
    content += _actors([actors[row] for row in lines], height)
    content += _bars([sizes[row] for row in lines], height)
    content += [text(number(x), scale(x), bottom + 13, "tick middle") for x in ticks]
    content += [
        text("target", (LEFT + WIDTH - SIZES) / 2, bottom + 28, "name middle"),
        _rows_name(bottom + 28),
    ]
    return Figure(title, description, bottom + 34, tuple(content))


def _spread_of(positions: Sequence[float], y: float, height: float) -> list[Element]:
    low, lower, middle, upper, high = positions
    half = height * 0.3
    return [
        element("path", d=f"M{low:.1f} {y:.1f}H{high:.1f}", class_="bar s0"),
        rect(lower, y - half, upper - lower, 2 * half, "box s0"),
        element("path", d=f"M{middle:.1f} {y - half:.1f}V{y + half:.1f}", class_="median s0"),
    ]


def _actors(actors: Sequence[int], height: float) -> list[Element]:
    step = 1 if height > 12 else 2
    return [
        text(number(actor), LEFT - 4, row * height + height / 2 + 3.5, "tick end")
        for row, actor in list(enumerate(actors))[::step]
    ]


def _bars(sizes: Sequence[float], height: float) -> list[Element]:
    most, left = max([*sizes, 1]), WIDTH - SIZES + 4
    room = SIZES - 34 if height > 12 else SIZES - 8
    parts = []
    for row, size in enumerate(sizes):
        parts.append(
            rect(left, row * height + 1, room * size / most, height - 2.7, "size", f"{size:.0f} rows")
        )
        if height > 12:
            parts.append(text(number(size), WIDTH - 1, row * height + height / 2 + 3.5, "tick end"))
    return parts


def _rows_name(y: float) -> Element:
    return text("rows", WIDTH - SIZES / 2, y, "name middle")


def _classes(names: Sequence[str], left: float, width: float, bottom: float) -> tuple[list[Element], float]:
    """Return the names of the classes below the map, upright if they fit, and how much room they take."""
    longest = max((min(len(name), 12) for name in names), default=1)
    middle = left + width * len(names) / 2
    if longest * CHARACTER + 3 <= width:
        shown = [
            text(name, left + (column + 0.5) * width, bottom + 12, "tick middle")
            for column, name in enumerate(names)
        ]
        return [*shown, text("class", middle, bottom + 27, "name middle"), _rows_name(bottom + 27)], 33.0
    room = longest * CHARACTER + 8
    step = max(1, math.ceil(11 / width))
    shown = []
    for column in range(0, len(names), step):
        name, x = names[column], left + (column + 0.5) * width + 3.5
        shown.append(
            text(shortened(name, 12 * CHARACTER), x, bottom + 5, "tick end", title=name, upright=True)
        )
    return [
        *shown,
        text("class", middle, bottom + room + 13, "name middle"),
        _rows_name(bottom + 14),
    ], room + 19
