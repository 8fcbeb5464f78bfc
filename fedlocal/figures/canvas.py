"""The sheet on which all figures are drawn, in one style, without pyplot's state, and written as a PNG.

A `Drawing` is the same wherever it goes: into a PNG file here, into a page by `fedlocal.figures.svg`.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.results.atomic_files import replacing

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Seven colours that colour-blind readers can tell apart (Okabe and Ito, "Color Universal Design", 2008)."""

INK, MUTED, RULE, PAPER = "#1b1f24", "#57606a", "#e0e0e0", "#ffffff"
"""The colours of words, of names and numbers of axes, of the grid, and of the ground."""

DOTS = 150  # an inch
POINTS = 72  # an inch
CHARACTER = 6.0  # points that a character takes, about
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BASELINE: dict[str, Any] = {"color": "#5c656f", "linestyle": (0, (1, 1.5)), "linewidth": 2.0}
BACKGROUND: dict[str, Any] = {"color": "#c3c9d0", "linewidth": 1.0}

TITLE = "title:"
"""The beginning of the identifier of an artist that has words to show under the pointer."""

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "figure.titlesize": 12,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "legend.frameon": False,
    "legend.handlelength": 3.5,  # room for the dashes
    "text.usetex": False,
    "text.parse_math": False,  # a name with two dollar signs is a name
}


@dataclass(frozen=True)
class Region:
    """A part of a figure; all lengths are points, 72 an inch."""

    figure: "Figure"
    left: float
    bottom: float
    width: float
    height: float

    def panel(self, left: float, right: float, top: float, bottom: float) -> "Axes":
        """Add axes, with margins on all sides."""
        across, up = POINTS * self.figure.get_size_inches()
        x, y = self.left + left, self.bottom + bottom
        width, height = self.width - left - right, self.height - top - bottom
        return self.figure.add_axes((x / across, y / up, width / across, height / up))


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn on any sheet.

    Parameters
    ----------
    width, height : float
        Points, 72 an inch.
    draw : callable
        It is called with a `Region` of this size.
    """

    width: float
    height: float
    draw: Callable[[Region], object]


def line_style(index: int) -> dict[str, Any]:
    """Return the style of a line by its index: colour, dashes and marker all tell lines apart."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": DASHES[index % len(DASHES)],
        "linewidth": 1.6,
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": 4,
    }


def tick_step(length: int, most: int) -> int:
    """Return the least round step (1, 2, 5, 10, …) that leaves at most `most` of `length` ticks.

    Examples
    --------
    >>> tick_step(8, 25), tick_step(100, 25), tick_step(1000, 25)
    (1, 5, 50)
    """
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if -(-length // step) <= most:
                return step
        power *= 10


def number(value: float) -> str:
    """Write the number of a tick.

    Examples
    --------
    >>> number(0.30000000000000004), number(20000), number(2.5e6)
    ('0.3', '20k', '2.5M')
    """
    for size, unit, least in ((1e9, "G", 1e9), (1e6, "M", 1e6), (1e3, "k", 1e4)):
        if least <= abs(value) < 1e13:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def spaced(length: int, most: int) -> range:
    """Return positions at even distances, no more than `most`."""
    return range(0, length, max(1, -(-length // most)))


def drawable(values: Sequence[float]) -> list[float]:
    """Return the values that an axis can reach: finite ones, and none that would dwarf all others."""
    return [value for value in values if abs(value) < 1e100]


def extent(points: Sequence[float], ends: Sequence[float] = (), *, zero: bool = False) -> tuple[float, float]:
    """Return the ends of an axis, with some room.

    Parameters
    ----------
    points : sequence of float
        What the axis must show.
    ends : sequence of float
        The ends of intervals; those that would dwarf the points are cut off.
    zero : bool
        Whether the axis begins at 0.
    """
    shown = drawable(points)
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    reach = max(high - low, 0.25 * abs(high))
    inside = [end for end in ends if low - reach <= end <= high + reach]
    low, high = min([low, *inside]), max([high, *inside])
    room = 0.06 * (high - low) or 0.06 * abs(high) or 0.5
    return (0.0 if zero else low - room, high + room)


def clean(text: str) -> str:
    """Return text without what no page or figure may hold: controls, lone surrogates, U+FFFE and U+FFFF."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]", "\ufffd", text.encode("utf-8", "replace").decode())


def unbroken(text: str) -> str:
    """Return clean text on a single line: further ones would lie over what is next to them."""
    return " ".join(clean(text).split())


def shortened(name: str, width: float) -> str:
    """Return a name that fits in a width in points, with an ellipsis for what does not."""
    most = max(3, int(width / CHARACTER))
    return name if len(name) <= most else f"{name[: most - 1]}…"


def hover(artist: "Artist", text: str) -> None:
    """Have a page show words under the pointer."""
    artist.set_gid(TITLE + clean(text))


def rectangles(axes: "Axes", boxes: NDArray[np.float64], **style: Any) -> None:
    """Draw rectangles as one path: left, right, bottom and top of each, shape (n, 4)."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners = boxes[:, [0, 2, 1, 2, 1, 3, 0, 3, 0, 2]].reshape(-1, 2)
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(boxes)
    path = Path(corners, np.array(codes, dtype=Path.code_type))
    axes.add_patch(PathPatch(path, **{"linewidth": 0, **style}))


@contextmanager
def sheet(path: str | os.PathLike[str], width: float, height: float) -> Iterator["Figure"]:
    """Open a figure that is written as a PNG of 150 dots an inch when the block ends well.

    Parameters
    ----------
    path : path-like
        The file to create or replace.
    width, height : float
        Inches.

    Raises
    ------
    ResultsError
        If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), dpi=DOTS, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        yield figure
        with replacing(path) as stream:
            # The same PNG as savefig's, which goes through all artists once more.
            canvas.print_png(stream)  # type: ignore[no-untyped-call]


def write_png(drawings: Sequence[Drawing], path: str | os.PathLike[str], title: str) -> None:
    """Write drawings beside one another, below a title, as a PNG.

    Parameters
    ----------
    drawings : sequence of Drawing
        At least one.
    path : path-like
        The file to create or replace.
    title : str
        The line above them.

    Raises
    ------
    ResultsError
        If the file cannot be written.
    """
    head, edge = 32.0, 8.0
    width = sum(drawing.width for drawing in drawings) + 2 * edge
    height = max(drawing.height for drawing in drawings) + head + edge
    with sheet(path, width / POINTS, height / POINTS) as figure:
        figure.set_layout_engine("none")
        size = min(12.0, 1.7 * width / max(1, len(title)))
        figure.suptitle(clean(title), y=1 - head / 2 / height, va="center", fontsize=size)
        left = edge
        for drawing in drawings:
            bottom = height - head - drawing.height
            drawing.draw(Region(figure, left, bottom, drawing.width, drawing.height))
            left += drawing.width
