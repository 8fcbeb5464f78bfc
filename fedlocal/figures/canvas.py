"""The sheet on which all figures are drawn, in one style, without pyplot's state, written atomically."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fedlocal.results.atomic_files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Seven colours that colour-blind readers can tell apart (Okabe and Ito, "Color Universal Design", 2008)."""

DOTS = 150  # an inch
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e0e0e0",
    "grid.linewidth": 0.6,
    "figure.titlesize": 12,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "legend.frameon": False,
    "legend.handlelength": 3.5,  # room for the dashes
    "text.usetex": False,
    "text.parse_math": False,  # a name with two dollar signs is a name
}


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
