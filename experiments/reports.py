"""What the reports of studies have in common: intervals in words, tables, and lines with bars."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from intervals import Interval

from fedlocal.results.figures.canvas import line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def in_words(interval: Interval, digits: int = 2) -> str:
    """Return ``1.83 (1.80 to 1.86)``; without the ends if there was one trial, nothing if there was none."""
    if math.isnan(interval.estimate):
        return ""
    middle, low, high = (f"{value:.{digits}f}" for value in (interval.estimate, interval.low, interval.high))
    return middle if math.isnan(interval.low) else f"{middle} ({low} to {high})"


def as_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in (header, rule, *rows))


def curve(axes: "Axes", points: Iterable[tuple[float, Interval]], index: int, label: str) -> None:
    """Draw a line through estimates, with their intervals as bars; what was not measured is left out."""
    known = [(x, one) for x, one in points if not math.isnan(one.estimate)]
    if not known:
        return
    ends = [(one.estimate - one.low, one.high - one.estimate) for _, one in known]
    bars = [[0.0 if math.isnan(end) else end for end in side] for side in zip(*ends, strict=True)]
    middle = [one.estimate for _, one in known]
    axes.errorbar([x for x, _ in known], middle, bars, label=label, capsize=2, **line_style(index))
