"""What the reports of studies have in common: intervals in words, tables, and lines with bars."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.intervals import Interval
from fedlocal.figures.canvas import line_style, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = """\
What that shows: where an interval excludes 1. What is not shown is not refuted either; of twenty points at
which nothing is gained, one excludes 1 by chance."""
EQUAL_UPDATES = "Speed-up over sequential training of equal updates, with 95 % intervals"
APART = 0.05  # between lines, where ticks are 1 apart


def in_words(interval: Interval, digits: int = 2) -> str:
    """Return ``1.83 (1.80 to 1.86)``; without the ends if there was one trial, nothing if there was none."""
    if math.isnan(interval.estimate):
        return ""
    middle, low, high = (f"{value:.{digits}f}" for value in (interval.estimate, interval.low, interval.high))
    return middle if math.isnan(interval.low) else f"{middle} ({low} to {high})"


def as_table(header: Sequence[str], rows: Iterable[Sequence[object]], names: int = 1) -> str:
    """Return a Markdown table whose first columns are names, and the others numbers."""
    rule = [*["---"] * names, *["---:"] * (len(header) - names)]
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in (header, rule, *rows))


def shown(ticks: Sequence[object], lines: Mapping[str, Sequence[Interval]]) -> str:
    """Return a table of what intervals of speed-ups carry: at which ticks a line is faster, or slower."""
    rows = []
    for label, intervals in lines.items():
        faster = [tick for tick, interval in zip(ticks, intervals, strict=True) if interval.low > 1]
        slower = [tick for tick, interval in zip(ticks, intervals, strict=True) if interval.high < 1]
        measured = [tick for tick, interval in zip(ticks, intervals, strict=True) if interval.trials]
        neither = [tick for tick in measured if tick not in faster and tick not in slower]
        trials = sorted({interval.trials for interval in intervals if interval.trials})
        cells = (", ".join(map(str, part)) or "–" for part in (faster, slower, neither, trials))
        rows.append((label, *cells))
    table = as_table(["", "faster at", "slower at", "neither shown at", "trials"], rows)
    return f"{SHOWN}\n\n{table}"


def curves(axes: "Axes", ticks: Sequence[object], lines: Mapping[str, Sequence[Interval]]) -> None:
    """Draw a line through the estimates of each name, one a tick, with their intervals as bars.

    What was not measured is left out. Lines stand beside one another by a little, so that no bar hides one.
    """
    for index, (label, intervals) in enumerate(lines.items()):
        apart = APART * (index - (len(lines) - 1) / 2)
        measured = [
            (at + apart, interval)
            for at, interval in enumerate(intervals)
            if not math.isnan(interval.estimate)
        ]
        if measured:
            x, of_line = zip(*measured, strict=True)
            look = {"label": label, "capsize": 2, **line_style(index)}
            axes.errorbar(x, [interval.estimate for interval in of_line], bars(of_line), **look)
    axes.set_xticks(range(len(ticks)), [str(tick) for tick in ticks])
    axes.set_xlim(-0.5, len(ticks) - 0.5)


def bars(intervals: Iterable[Interval]) -> list[tuple[float, ...]]:
    """Return how far intervals reach below and above their estimates; 0 where that is not known."""
    ends = [(interval.estimate - interval.low, interval.high - interval.estimate) for interval in intervals]
    return [tuple(0.0 if math.isnan(end) else end for end in side) for side in zip(*ends, strict=True)]


def speed_up_curves(
    axes: "Axes", ticks: Sequence[object], lines: Mapping[str, Sequence[Interval]], reach: float = 1.0
) -> None:
    """Draw speed-ups; the axis goes a little beyond the highest estimate, or `reach`, however long a bar."""
    curves(axes, ticks, lines)
    axes.axhline(1.0, color="#444444", linestyle=":", linewidth=1)
    axes.set_ylim(
        0, 1.15 * highest([interval for intervals in lines.values() for interval in intervals], reach)
    )


def speed_up_table(first: str, ticks: Sequence[object], lines: Mapping[str, Sequence[Interval]]) -> str:
    """Return the table of speed-ups, a row for each tick that was measured, and what they show."""
    rows = [(tick, *map(in_words, of_tick)) for tick, *of_tick in zip(ticks, *lines.values(), strict=True)]
    table = as_table([first, *lines], [row for row in rows if any(row[1:])])
    return f"{table}\n{shown(ticks, lines)}"


def speed_up_figure(
    path: Path, ticks: Sequence[object], lines: Mapping[str, Sequence[Interval]], label: str, title: str
) -> None:
    """Draw a figure of speed-ups; `label` says what the ticks are."""
    with sheet(path, 7.0, 4.8) as figure:
        axes = figure.subplots()
        speed_up_curves(axes, ticks, lines)
        axes.set(xlabel=label, ylabel="times as fast")
        axes.set_title(title, fontsize="medium")
        figure.legend(loc="outside lower center", ncols=2)


def highest(intervals: Iterable[Interval], least: float = 1.0) -> float:
    """Return the highest estimate, or `least` if that is more."""
    return max([least, *(interval.estimate for interval in intervals if not math.isnan(interval.estimate))])
