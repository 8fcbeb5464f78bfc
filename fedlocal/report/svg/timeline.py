"""The timeline of a round: when each worker computed, and when it waited."""

import numpy as np

from fedlocal.report.svg.axes import Scale
from fedlocal.report.svg.element import WIDTH, Figure, element, rect, text
from fedlocal.results.occupancy import Intervals, Occupancy

LEFT, RIGHT, ROW = 30.0, 10.0, 17.0
MOST_WORKERS = 16
FINEST = 0.4
"""Stretches that are nearer to one another than this, in the figure's units, are drawn as a whole."""


def timeline(occupancy: Occupancy, title: str, description: str) -> Figure:
    """Draw the workers of a round against the time in it: computing, nobody computing, waiting for others."""
    scale = Scale(0.0, occupancy.span, LEFT, WIDTH - RIGHT)
    near = FINEST * occupancy.span / (scale.end - scale.start)
    shown = occupancy.workers[:MOST_WORKERS]
    anyone = _merged(occupancy.computing(), near)
    content = []
    for row, worker in enumerate(shown):
        top = row * ROW
        content += [
            text(str(worker), LEFT - 5, top + ROW / 2 + 3.5, "tick end"),
            rect(scale.start, top + 1.5, scale.end - scale.start, ROW - 3, "p1"),  # nobody computes
            element("path", d=_blocks(anyone, scale, top), class_="p2"),  # another worker does
            element("path", d=_blocks(_merged(occupancy.computing(worker), near), scale, top), class_="p0"),
        ]
    bottom = len(shown) * ROW + 2
    unit, name = (1.0, "seconds") if occupancy.span >= 1 else (1e3, "milliseconds")
    for tick in Scale(0.0, occupancy.span * unit, 0.0, 1.0).ticks(5):
        x = scale(tick / unit)
        content.append(text(f"{tick:g}", min(x, WIDTH - 14), bottom + 13, "tick middle"))
    content.append(text(f"{name} since the start of the round", WIDTH / 2, bottom + 28, "name middle"))
    return Figure(title, description, bottom + 34, tuple(content))


def _merged(intervals: Intervals, near: float) -> Intervals:
    """Return intervals in which those that are too near to be told apart are joined."""
    if len(intervals) == 0:
        return intervals
    apart = intervals[1:, 0] - intervals[:-1, 1] > near
    first, last = np.append(True, apart), np.append(apart, True)
    return np.stack([intervals[first, 0], intervals[last, 1]], axis=1)


def _blocks(intervals: Intervals, scale: Scale, top: float) -> str:
    words = []
    for start, end in intervals.tolist():
        width = max(FINEST, scale(end) - scale(start))
        words.append(f"M{scale(start):.1f} {top + 1.5:.1f}h{width:.1f}v{ROW - 3:.1f}h-{width:.1f}z")
    return "".join(words)
