"""Learning curves: a line for each setting, the mean over its seeds."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fedlocal.figures.canvas import BACKGROUND, BASELINE, COLOURS, line_style
from fedlocal.figures.curves import Curve, curves_drawing
from fedlocal.report.groups import RunGroup, SettingsComparison
from fedlocal.report.number_format import counted, listed
from fedlocal.report.section import PageFigure, Section, line_entry
from fedlocal.results.history import History
from fedlocal.results.intervals import mean

MOST_OTHERS = 60
MOST_BANDS = 4  # more would hide one another
MOST_POINTS = 150


def learning(comparison: SettingsComparison) -> Section | None:
    """Draw accuracy and loss on the test set, round by round."""
    groups = comparison.done or [
        group for group in comparison.groups if any(run.history.rounds for run in group.runs)
    ]
    figures = [
        figure for metric in ("accuracy", "rmse", "loss") if (figure := _figure(comparison, groups, metric))
    ]
    if not figures:
        return None
    coloured, uncoloured = groups[: len(COLOURS)], groups[len(COLOURS) :]
    legend = [line_entry(_style(index), _name(group)) for index, group in enumerate(coloured)]
    legend += [line_entry(BACKGROUND, counted(len(uncoloured), "other setting"))] if uncoloured else []
    base = comparison.baselines[:1] if _baseline(groups, comparison.baselines, "loss") else ()
    legend += [line_entry(BASELINE, name) for name in base]
    intro = "On the test set, after each round that was evaluated."
    if any(group.seeds > 1 for group in groups):
        bands = ", bands their 95 % intervals, cut off at the edge" if len(coloured) <= MOST_BANDS else ""
        intro += f" Lines are means over seeds{bands}."
    intro += f" The {len(COLOURS)} best settings have colours." if uncoloured else ""
    left = len(uncoloured) - MOST_OTHERS
    note = f"{counted(left, 'further setting')} not drawn." if left > 0 else ""
    return Section("learning", "Learning curves", intro, tuple(figures), tuple(legend), note=note)


def _name(group: RunGroup) -> str:
    return group.label if group.done else f"{group.label} ({group.runs[0].row.status})"


def _figure(comparison: SettingsComparison, groups: Sequence[RunGroup], metric: str) -> PageFigure | None:
    drawn = [
        line
        for index, group in enumerate(groups[: len(COLOURS) + MOST_OTHERS])
        if (
            line := _line(
                [run.history for run in group.done or group.runs], metric, _name(group), _style(index)
            )
        )
    ]
    if not drawn:
        return None
    base = _baseline(groups, comparison.baselines, metric)
    every = [*(drawn if len(groups) <= MOST_BANDS else map(_bare, drawn)), *([base] if base else [])]
    return PageFigure(
        f"{metric} by round", _described(every, metric), curves_drawing(every, ("round", metric))
    )


def _style(index: int) -> dict[str, Any]:
    return line_style(index) if index < len(COLOURS) else BACKGROUND


def _bare(line: Curve) -> Curve:
    return replace(line, low=(), high=())


def _described(drawn: Sequence[Curve], metric: str) -> str:
    ends = [f"{line.label}: {line.y[-1]:.4g}" for line in drawn if line.style is not BACKGROUND]
    return f"{metric} against the round; at the end {listed(ends)}."


def _baseline(groups: Sequence[RunGroup], names: Sequence[str], metric: str) -> Curve | None:
    """Return the baseline of the best setting."""
    runs = groups[0].done if groups and names else []
    return (
        _line([run.baseline_history(names[0]) for run in runs], metric, names[0], BASELINE) if runs else None
    )


def _line(histories: Sequence[History], metric: str, label: str, style: dict[str, Any]) -> Curve | None:
    """Return the mean over histories with its interval, where all that have the metric have the round."""
    by_round: dict[int, list[float]] = {}
    series = [history.series(metric) for history in histories]
    whole = sum(1 for numbers, _ in series if numbers)
    for numbers, values in series:
        for number, value in zip(numbers, values, strict=True):
            by_round.setdefault(number, []).append(value)
    xs = [number for number in sorted(by_round) if len(by_round[number]) == whole]
    if not xs:
        return None
    step = -(-len(xs) // MOST_POINTS)
    xs = xs[::-step][::-1]  # the last one stays
    means = [mean([value for value in by_round[number] if math.isfinite(value)]) for number in xs]
    ys = [interval.estimate for interval in means]
    if whole < 2 or style is BACKGROUND or style is BASELINE:
        return Curve(label, style, xs, ys)
    lows, highs = [interval.low for interval in means], [interval.high for interval in means]
    return Curve(label, style, xs, ys, lows, highs)
