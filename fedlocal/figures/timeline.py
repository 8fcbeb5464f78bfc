"""The timeline: when each worker computed in a round, and when it waited."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.figures.canvas import COLOURS, Drawing, Region, rectangles, sheet, tick_step
from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.formatting import duration, share
from fedlocal.results.occupancy import Intervals, Occupancy
from fedlocal.results.rounds import Round

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

COMPUTING, COORDINATION, IDLE = COLOURS[0], "#e9a100", "#d4d4d4"

HEADING: dict[str, Any] = {"fontsize": 10, "loc": "left"}

STATES = {
    "computing": COMPUTING,
    "coordination (nobody computes)": COORDINATION,
    "waiting (others compute)": IDLE,
}

FEW_STRETCHES = 60
"""Up to here, on each worker, every stretch of a round is drawn; beyond, the part of each slice of time."""

FEW_WORKERS = 8
"""Up to here there is room for three rounds."""

FEW_ROWS = 32  # have room for text

MOST_WORKERS = 16
"""In a page, whose size they bound."""

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
        At least one; a panel each. See `representative_rounds`.
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
    sparse = [occupancy for occupancy in rounds if not _crowded(occupancy)]
    shown = [last] if len(last.workers) > FEW_WORKERS else sparse
    panels = 2 if crowded else len(shown)
    rows = max(2, min(len(last.workers), FEW_ROWS))
    with sheet(path, WIDTH, 0.9 + panels * (0.75 + rows * ROW)) as figure:
        figure.suptitle(title)
        axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
        if crowded:
            _draw_crowded(axes[0], axes[1], last)
        else:
            for panel, occupancy in zip(axes, shown, strict=True):
                _stretches(panel, occupancy, (0.0, _limit(occupancy, shown)))
                panel.set_title(_heading(occupancy), **HEADING)
        figure.legend(handles=_legend(), loc="outside lower center", ncols=3, handlelength=1.5)


def representative_rounds(rounds: Sequence[Round]) -> list[Occupancy]:
    """Return the first round, a round of median length between, and the last, in this order.

    Rounds in which nobody's work is known are passed over.
    """
    worked = [
        round_
        for round_ in rounds
        if round_.work or any("started" in measured for measured in round_.actors.values())
    ]
    between = sorted(worked[1:-1], key=lambda round_: round_.timed)
    median = between[(len(between) - 1) // 2 : (len(between) + 1) // 2]
    chosen = [*worked[:1], *median, *worked[1:][-1:]]
    return [occupancy for round_ in chosen if (occupancy := Occupancy.of(round_))]


def round_drawing(occupancy: Occupancy) -> Drawing:
    """Return a single round, with up to `MOST_WORKERS` of its workers."""
    height = 17.0 * min(len(occupancy.workers), MOST_WORKERS)

    def draw(region: Region) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = region.panel(58, 22, 0, 38)
        if _crowded(occupancy):
            _slices(axes, occupancy, SLICES // 2)
        else:
            _stretches(axes, occupancy, (0.0, occupancy.span), named=False)
        axes.set_ylim(height / 17 - 0.5, -0.5)
        axes.set_xlabel("since the start of the round")
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))  # there is room for six times

    return Drawing(360, height + 38, draw)


def _draw_crowded(above: "Axes", below: "Axes", occupancy: Occupancy) -> None:
    _slices(above, occupancy, SLICES)
    above.set_title(_heading(occupancy), **HEADING)
    _stretches(below, occupancy, _window(occupancy))
    below.set_title("its first stretches of work, with their actors", **HEADING)


def _legend() -> list["Patch"]:
    from matplotlib.patches import Patch

    return [Patch(color=colour, label=state) for state, colour in STATES.items()]


def _crowded(occupancy: Occupancy) -> bool:
    return int(np.unique(occupancy.worker, return_counts=True)[1].max()) > FEW_STRETCHES


def _limit(occupancy: Occupancy, shown: Sequence[Occupancy]) -> float:
    """Return where a round's axis ends: with the longest round's, unless this one would be lost there."""
    longest = max(other.span for other in shown)
    return longest if occupancy.span > longest / 3 else occupancy.span


def _heading(occupancy: Occupancy) -> str:
    used, last = occupancy.usage, occupancy.critical_path()
    return (
        f"round {occupancy.number}: {duration(occupancy.span)}, efficiency {share(used.efficiency)}, "
        f"critical path {duration(last.seconds)}, actor {last.actor} ended last"
    )


def _window(occupancy: Occupancy) -> tuple[float, float]:
    """Return from when to when the worker with the most stretches has its first few."""
    workers, counts = np.unique(occupancy.worker, return_counts=True)
    stretches = occupancy.times[occupancy.worker == workers[counts.argmax()]][:IN_WINDOW]
    start, end = float(occupancy.times[0, 0]), float(stretches[-1, 1])
    return max(0.0, start - 0.05 * (end - start)), end


def _stretches(
    axes: "Axes", occupancy: Occupancy, window: tuple[float, float], *, named: bool = True
) -> None:
    start, end = window
    _name_axes(axes, occupancy, window)
    shown, workers = _within(occupancy.times, window), len(occupancy.workers)
    nobody = _gaps(occupancy.computing(), occupancy.span)
    whole = np.array([[0.0, occupancy.span]])
    for row in range(workers):
        _bar(axes, row, whole, facecolor=IDLE)
    _bar(axes, (workers - 1) / 2, nobody[_within(nobody, window)], workers - 0.16, facecolor=COORDINATION)
    named = named and shown.sum() <= MOST_NAMES and workers <= FEW_ROWS
    for row, worker in enumerate(occupancy.workers):
        selected = shown & (occupancy.worker == worker)
        _bar(axes, row, occupancy.times[selected], facecolor=COMPUTING, edgecolor="white", linewidth=0.6)
        if not named:
            continue
        actors, times = occupancy.actor[selected], occupancy.times[selected]
        for actor, (started, ended) in zip(actors, times, strict=True):
            _name(axes, row, str(actor), max(started, start), min(ended, end), end - start)


def _within(intervals: NDArray[np.float64], window: tuple[float, float]) -> NDArray[np.bool_]:
    return (intervals[:, 1] > window[0]) & (intervals[:, 0] < window[1])


def _bar(axes: "Axes", row: float, intervals: Intervals, height: float = 0.84, **style: Any) -> None:
    ends = np.broadcast_to([row - height / 2, row + height / 2], intervals.shape)
    rectangles(axes, np.concatenate([intervals, ends], axis=1), **style)


def _name(axes: "Axes", row: int, name: str, started: float, ended: float, whole: float) -> None:
    if (ended - started) / whole * (WIDTH - 1.2) > DIGIT * (len(name) + 0.7):
        axes.text((started + ended) / 2, row, name, ha="center", va="center", color="white", fontsize=8)


def _slices(axes: "Axes", occupancy: Occupancy, slices: int) -> None:
    """Stack, in each worker's row, the parts of each slice of time in which it was in each state."""
    _name_axes(axes, occupancy, (0.0, occupancy.span))
    edges = np.linspace(0.0, occupancy.span, slices + 1)
    width = edges[1]
    anyone = _elapsed(occupancy.computing(), edges) / width
    for row, worker in enumerate(occupancy.workers):
        computing, bottom = _elapsed(occupancy.computing(worker), edges) / width, row + 0.42
        _bar(axes, row, np.array([[0.0, occupancy.span]]), facecolor=IDLE)
        # rows run downwards, and what is drawn later lies on top
        for part, colour in ((1 - anyone + computing, COORDINATION), (computing, COMPUTING)):
            axes.stairs(bottom - 0.84 * part, edges, baseline=bottom, fill=True, color=colour, linewidth=0)


def _elapsed(intervals: Intervals, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much of the time between each two edges lies in the intervals, in seconds."""
    if len(intervals) == 0:
        return np.zeros(len(edges) - 1)
    before = np.concatenate([[0.0], np.cumsum(intervals[:, 1] - intervals[:, 0])])
    total = np.stack([before[:-1], before[1:]], axis=1).ravel()
    return np.diff(np.interp(edges, intervals.ravel(), total))


def _gaps(intervals: Intervals, span: float) -> Intervals:
    """Return the gaps between intervals within a span."""
    edges = np.concatenate([[0.0], intervals.ravel(), [span]]).reshape(-1, 2)
    return edges[edges[:, 1] > edges[:, 0]]


def _name_axes(axes: "Axes", occupancy: Occupancy, window: tuple[float, float]) -> None:
    from matplotlib.ticker import FuncFormatter

    rows = range(0, len(occupancy.workers), tick_step(len(occupancy.workers), FEW_ROWS))
    axes.set_yticks(rows, [f"worker {occupancy.workers[row]}" for row in rows])
    axes.set(ylim=(len(occupancy.workers) - 0.5, -0.5), xlim=window)
    unit, name = (1.0, "s") if window[1] >= 1 else (1e3, "ms")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds * unit:g} {name}"))
    axes.tick_params(axis="y", left=False)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
