"""When each worker computed in a round, and when it waited."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.figures.canvas import COLOURS, every, sheet
from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.formatting import duration, share
from fedlocal.results.occupancy import Intervals, Occupancy
from fedlocal.results.rounds import Round

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

COMPUTING, COORDINATION, IDLE = COLOURS[0], COLOURS[4], "#d4d4d4"

HEADING: dict[str, Any] = {"fontsize": 10, "loc": "left"}

STATES = {
    "computing": COMPUTING,
    "coordination (nobody computes)": COORDINATION,
    "idle (others compute)": IDLE,
}

FEW_STRETCHES = 60
"""Up to here, on each worker, every stretch of a round is drawn; beyond, the part of each slice of time."""

FEW_WORKERS = 8
"""Up to here there is room for three rounds."""

FEW_ROWS = 32  # have room for text

SLICES = 120
IN_WINDOW = 16  # stretches of one worker
MOST_NAMES = 400  # in a panel
WIDTH, ROW, DIGIT = 8.5, 0.26, 0.075  # inches


def timeline(
    rounds: Sequence[Occupancy], path: str | os.PathLike[str], title: str = "When the workers worked"
) -> None:
    """Draw workers against the time within a round, by their states.

    Where there are more than `FEW_WORKERS`, or more than `FEW_STRETCHES` on one of them, only the last round
    is drawn. In the latter case the height of a colour says which part of a slice of time a worker was in
    that state, and a window below shows single stretches.

    Parameters
    ----------
    rounds : sequence of Occupancy
        At least one; a panel each. See `representative`.
    path : path-like
        The PNG to write.
    title : str
        Above the figure.

    Raises
    ------
    ResultsError
        If there is no round, or the file cannot be written.
    """
    if not rounds:
        msg = "a timeline needs a round in which it is known when the actors worked; there is none"
        raise ResultsError(msg)
    last = rounds[-1]
    crowded = _crowded(last)
    shown = [last] if len(last.workers) > FEW_WORKERS else [one for one in rounds if not _crowded(one)]
    panels = 2 if crowded else len(shown)
    rows = max(2, min(len(last.workers), FEW_ROWS))
    with sheet(path, WIDTH, 0.9 + panels * (0.75 + rows * ROW)) as figure:
        figure.suptitle(title)
        axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
        if crowded:
            _draw_crowded(axes[0], axes[1], last)
        else:
            for each, one in zip(axes, shown, strict=True):
                _stretches(each, one, (0.0, _limit(one, shown)))
                each.set_title(_heading(one), **HEADING)
        figure.legend(handles=_legend(), loc="outside lower center", ncols=3, handlelength=1.5)


def representative(rounds: Sequence[Round]) -> list[Occupancy]:
    """Return the first round, the one of median length among the others, and the last, in this order.

    Rounds in which nobody's work is known are passed over.
    """
    known = [one for one in rounds if one.work or any("started" in each for each in one.actors.values())]
    between = sorted(known[1:-1], key=lambda one: one.timed)
    median = between[(len(between) - 1) // 2 : (len(between) + 1) // 2]
    return [each for one in (*known[:1], *median, *known[1:][-1:]) if (each := Occupancy.of(one))]


def _draw_crowded(above: "Axes", below: "Axes", one: Occupancy) -> None:
    _slices(above, one)
    above.set_title(_heading(one), **HEADING)
    _stretches(below, one, _window(one))
    below.set_title("its first stretches of work, with their actors", **HEADING)


def _legend() -> list["Patch"]:
    from matplotlib.patches import Patch

    return [Patch(color=colour, label=state) for state, colour in STATES.items()]


def _crowded(one: Occupancy) -> bool:
    return int(np.unique(one.worker, return_counts=True)[1].max()) > FEW_STRETCHES


def _limit(one: Occupancy, others: Sequence[Occupancy]) -> float:
    """Return where a round's axis ends: where that of all does, unless it would be lost there."""
    longest = max(each.span for each in others)
    return longest if one.span > longest / 3 else one.span


def _heading(one: Occupancy) -> str:
    used, last = one.usage, one.critical_path()
    return (
        f"round {one.number}: {duration(one.span)}, efficiency {share(used.efficiency)}, "
        f"critical path {duration(last.seconds)}, actor {last.actor} ended last"
    )


def _window(one: Occupancy) -> tuple[float, float]:
    """Return from when to when the worker with the most stretches has its first few."""
    workers, counts = np.unique(one.worker, return_counts=True)
    own = one.times[one.worker == workers[counts.argmax()]][:IN_WINDOW]
    start, end = float(one.times[0, 0]), float(own[-1, 1])
    return max(0.0, start - 0.05 * (end - start)), end


def _stretches(axes: "Axes", one: Occupancy, window: tuple[float, float]) -> None:
    start, end = window
    _name_axes(axes, one, window)
    shown = _within(one.times, window)
    nobody = _gaps(one.computing(), one.span)
    nobody = nobody[_within(nobody, window)]
    named = shown.sum() <= MOST_NAMES and len(one.workers) <= FEW_ROWS
    for row, worker in enumerate(one.workers):
        own = shown & (one.worker == worker)
        _bar(axes, row, np.array([[0.0, one.span]]), color=IDLE)
        _bar(axes, row, nobody, color=COORDINATION)
        _bar(axes, row, one.times[own], color=COMPUTING, edgecolor="white", linewidth=0.6)
        for actor, (begun, ended) in zip(one.actor[own], one.times[own], strict=True) if named else ():
            _name(axes, row, str(actor), max(begun, start), min(ended, end), end - start)


def _within(intervals: NDArray[np.float64], window: tuple[float, float]) -> NDArray[np.bool_]:
    return (intervals[:, 1] > window[0]) & (intervals[:, 0] < window[1])


def _bar(axes: "Axes", row: int, intervals: Intervals, **style: Any) -> None:
    pairs = [(begun, ended - begun) for begun, ended in intervals.tolist()]
    axes.broken_barh(pairs, (row - 0.42, 0.84), **style)


def _name(axes: "Axes", row: int, name: str, begun: float, ended: float, whole: float) -> None:
    if (ended - begun) / whole * (WIDTH - 1.2) > DIGIT * (len(name) + 0.7):
        axes.text((begun + ended) / 2, row, name, ha="center", va="center", color="white", fontsize=8)


def _slices(axes: "Axes", one: Occupancy) -> None:
    """Stack, in each worker's row, the parts of each slice of time in which it was in each state."""
    edges = np.linspace(0.0, one.span, SLICES + 1)
    width = edges[1]
    anyone = _elapsed(one.computing(), edges) / width
    for row, worker in enumerate(one.workers):
        own = _elapsed(one.computing(worker), edges) / width
        heights = np.stack([own, 1 - anyone, np.maximum(0.0, anyone - own)])
        bottoms = row + 0.42 - 0.84 * np.cumsum(heights, axis=0)  # rows run downwards
        for bottom, height, colour in zip(bottoms, heights, STATES.values(), strict=True):
            axes.stairs(bottom + 0.84 * height, edges, baseline=bottom, fill=True, color=colour)
    _name_axes(axes, one, (0.0, one.span))


def _elapsed(intervals: Intervals, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much of the time between each two edges lies in the intervals, in seconds."""
    if len(intervals) == 0:
        return np.zeros(len(edges) - 1)
    before = np.concatenate([[0.0], np.cumsum(intervals[:, 1] - intervals[:, 0])])
    total = np.stack([before[:-1], before[1:]], axis=1).ravel()
    return np.diff(np.interp(edges, intervals.ravel(), total))


def _gaps(intervals: Intervals, span: float) -> Intervals:
    """Return what the intervals leave of a span."""
    edges = np.concatenate([[0.0], intervals.ravel(), [span]]).reshape(-1, 2)
    return edges[edges[:, 1] > edges[:, 0]]


def _name_axes(axes: "Axes", one: Occupancy, window: tuple[float, float]) -> None:
    from matplotlib.ticker import FuncFormatter

    rows = range(0, len(one.workers), every(len(one.workers), FEW_ROWS))
    axes.set_yticks(rows, [f"worker {one.workers[row]}" for row in rows])
    axes.set(ylim=(len(one.workers) - 0.5, -0.5), xlim=window)
    unit, name = (1.0, "s") if window[1] >= 1 else (1e3, "ms")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds * unit:g} {name}"))
    axes.tick_params(axis="y", left=False)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
