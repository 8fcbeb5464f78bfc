"""Partitions, a line for each actor: shares of the labels, or the spread of real targets, and the sizes."""

import math
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.figures.canvas import (
    CHARACTER,
    COLOURS,
    MUTED,
    PAPER,
    Drawing,
    Region,
    extent,
    hover,
    number,
    rectangles,
    shortened,
    spaced,
    tick_step,
    unbroken,
    write_png,
)
from fedlocal.results.atomic_files import ResultsError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

MOST_ROWS, MOST_COLUMNS = 40, 100
"""In a page, whose size they bound."""

FEW_LINES, FEW_CLASSES = 24, 16
"""Up to here lines have room for numbers."""

SHADES = (0.0, 0.16, 0.26, 0.38, 0.5, 0.62, 0.74, 0.87, 1.0)
"""Opacities; the root of a share chooses one, so that rare labels show."""

HEAT, NONE, SIZE = "#00558a", "#e9edf1", "#b8c0c9"
LEFT, SIZES = 40.0, 64.0  # room for the actors' numbers, and for the bars of their sizes


def partition(
    summary: Mapping[str, Any], path: str | os.PathLike[str], title: str = "Labels or targets per actor"
) -> None:
    """Draw a partition: a map of labels, in cells their counts where there is room, or the spread of targets.

    The colour says which part of an actor's samples has a label, so that small actors are as visible as large
    ones.

    Parameters
    ----------
    summary : mapping
        The content of a run's ``partition.json``.
    path : path-like
        The PNG to write.
    title : str
        Above the figure.

    Raises
    ------
    ResultsError
        If the summary is not one of a partition, or the file cannot be written.
    """
    drawing, left_out = partition_drawing(summary, len(summary["shown"]), width=600, numbered=True)
    write_png([drawing], path, title + left_out)


def partition_drawing(
    summary: Mapping[str, Any], most: int, *, width: float = 360, numbered: bool = False
) -> tuple[Drawing, str]:
    """Return the drawing of a partition, and words that say how many of its actors it shows, if not all.

    Parameters
    ----------
    summary : mapping
        The content of a run's ``partition.json``.
    most : int
        Beyond this number of actors some are left out at even distances: a mean over neighbours would hide
        their skew.
    width : float
        Points.
    numbered : bool
        As of `label_map`.

    Raises
    ------
    ResultsError
        If parts of the summary are missing.
    """
    values = np.array(summary.get("counts", summary.get("quantiles")), np.float64)
    sizes, classes = np.array(summary["sizes"], np.float64), list(map(str, summary.get("classes", "12345")))
    if values.shape != (len(summary["shown"]), len(classes)) or len(sizes) != len(values) or not values.size:
        msg = f"a partition of shape {values.shape}: expected (actors, classes), or (actors, 5) quantiles"
        raise ResultsError(msg)
    lines = spaced(len(values), most)
    actors, whole = [int(summary["shown"][line]) for line in lines], int(summary["actors"])
    left_out = f" ({len(lines)} of {whole} actors, at even distances)" if len(lines) < whole else ""
    if "quantiles" in summary:
        return target_spread(values[lines], actors, sizes[lines], width=width), left_out
    drawing = label_map(values[lines], actors, classes, sizes[lines], width=width, numbered=numbered)
    return drawing, left_out


def label_map(
    counts: Floats,
    actors: Sequence[int],
    classes: Sequence[str],
    sizes: Floats,
    *,
    width: float = 360,
    numbered: bool = False,
) -> Drawing:
    """Return a map of the share of each label in each actor's rows, and the actors' sizes as bars.

    Parameters
    ----------
    counts : NDArray[float64], shape (actors, classes)
        Rows of each label.
    actors : sequence of int
        The actors' numbers.
    classes : sequence of str
        The names of the labels; beyond `MOST_COLUMNS`, some are left out at even distances.
    sizes : NDArray[float64], shape (actors,)
        All rows of each actor.
    width : float
        Points.
    numbered : bool
        Whether cells hold their counts where there is room.
    """
    columns = spaced(len(classes), MOST_COLUMNS)
    parts = np.clip(counts[:, columns] / np.maximum(sizes, 1)[:, None], 0, 1)
    names = [unbroken(classes[column]) for column in columns]
    cell = (width - LEFT - SIZES) / len(names)
    upright = max(map(len, names)) * CHARACTER + 3 > cell
    foot = 40.0 + (CHARACTER * min(12, max(map(len, names))) - 8 if upright else 0)

    def draw(region: Region) -> None:
        axes = region.panel(LEFT, SIZES, 0, foot)
        _cells(axes, np.ceil((len(SHADES) - 1) * np.sqrt(parts)).astype(int))
        if numbered and len(actors) <= FEW_LINES and len(names) <= FEW_CLASSES:
            _counts(axes, counts, parts)
        step = max(1, math.ceil(11 / cell)) if upright else 1
        words = [shortened(name, 12 * CHARACTER) if upright else name for name in names[::step]]
        axes.set_xticks(range(0, len(names), step), words, rotation=90 if upright else 0)
        axes.set(xlabel="label", xlim=(-0.5, len(names) - 0.5))
        _name_actors(axes, actors)
        _sizes(region.panel(width - SIZES + 4, 0, 0, foot), sizes)

    return Drawing(width, _height(len(actors)) + foot, draw)


def _cells(axes: "Axes", levels: NDArray[np.int64]) -> None:
    """Draw neighbours of one shade as one, and lines of the ground between all."""
    lines, columns = levels.shape
    edges = np.diff(levels, axis=1, prepend=-1, append=-1) != 0
    runs: dict[int, list[tuple[float, float, float, float]]] = {}
    for line in range(lines):
        for start, end in pairwise(np.flatnonzero(edges[line])):
            box = (start - 0.5, end - 0.5, line - 0.5, line + 0.5)
            runs.setdefault(int(levels[line, start]), []).append(box)
    for level, boxes in sorted(runs.items()):
        colour, alpha = (HEAT, SHADES[level]) if level else (NONE, 1.0)
        rectangles(axes, np.array(boxes), facecolor=colour, alpha=alpha)
    axes.grid(visible=False)
    gaps = [(-0.5, columns - 0.5, y - 0.5, y - 0.5) for y in range(1, lines) if lines <= MOST_ROWS]
    gaps += [(x - 0.5, x - 0.5, -0.5, lines - 0.5) for x in range(1, columns)]
    across = [x for gap in gaps for x in (*gap[:2], math.nan)]
    axes.plot(across, [y for gap in gaps for y in (*gap[2:], math.nan)], color=PAPER, linewidth=0.7)


def _counts(axes: "Axes", counts: Floats, parts: Floats) -> None:
    for (line, label), count in np.ndenumerate(counts):
        colour = PAPER if parts[line, label] > 0.3 else "#000000"
        axes.text(label, line, number(count), ha="center", va="center", color=colour, fontsize=8)


def _height(lines: int) -> float:
    return lines * (17.0 if lines <= FEW_LINES else max(2.5, min(8.0, 320 / lines)))


def _name_actors(axes: "Axes", actors: Sequence[int]) -> None:
    lines = range(0, len(actors), tick_step(len(actors), FEW_LINES))
    axes.set_yticks(lines, [str(actors[line]) for line in lines])
    axes.set(ylabel="actor" if len(actors) > 2 else "", ylim=(len(actors) - 0.5, -0.5))


def _sizes(axes: "Axes", sizes: Floats) -> None:
    few = len(sizes) <= FEW_LINES
    bars = axes.barh(np.arange(len(sizes)), sizes, height=0.8 if few else 1.0, color=SIZE)
    for bar, size in zip(bars, sizes, strict=True):
        hover(bar, f"{size:.0f} rows")
    axes.set(xticks=[], yticks=[], xlabel="rows", ylim=(len(sizes) - 0.5, -0.5))
    axes.set_xlim(0, max(1.0, sizes.max()) * (2.5 if few else 1.05))
    if few:
        for line, size in enumerate(sizes):
            axes.text(size + 0.1 * sizes.max(), line, number(size), va="center", fontsize=9, color=MUTED)


def target_spread(quantiles: Floats, actors: Sequence[int], sizes: Floats, *, width: float = 360) -> Drawing:
    """Return the reach, the middle half and the median of each actor's targets, and the sizes as bars.

    Parameters
    ----------
    quantiles : NDArray[float64], shape (actors, 5)
        Ascending; NaN of an actor that owns nothing.
    actors : sequence of int
        The actors' numbers.
    sizes : NDArray[float64], shape (actors,)
        Rows of each actor.
    width : float
        Points.
    """
    finite = np.isfinite(quantiles).all(axis=1)

    def draw(region: Region) -> None:
        axes = region.panel(LEFT, SIZES + 6, 0, 40)
        lines, (low, lower, middle, upper, high) = np.flatnonzero(finite), quantiles[finite].T
        axes.hlines(lines, low, high, color=COLOURS[0], linewidth=1.5)
        axes.barh(
            lines, upper - lower, 0.6, lower, color=f"{COLOURS[0]}2e", edgecolor=COLOURS[0], linewidth=1
        )
        axes.vlines(middle, lines - 0.3, lines + 0.3, color=COLOURS[1], linewidth=2)
        axes.set(xlabel="target", xlim=extent(quantiles[finite].ravel().tolist()))
        axes.xaxis.set_major_formatter(lambda value, _: number(value))
        axes.grid(visible=False, axis="y")
        _name_actors(axes, actors)
        _sizes(region.panel(width - SIZES + 4, 0, 0, 40), sizes)

    return Drawing(width, _height(len(actors)) + 40, draw)
