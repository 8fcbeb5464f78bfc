"""The settings that a figure shows, a line about the rest, and the number that was swept."""

from fedlocal.figures.canvas import COLOURS
from fedlocal.report.groups import RunGroup, SettingsComparison
from fedlocal.report.number_format import counted
from fedlocal.report.settings import distinguishing_columns, label
from fedlocal.results.formatting import is_finite

MOST_ROWS = 24

Axis = tuple[int, list[str], dict[str, dict[str, RunGroup]]]
"""A key's position, its values, ascending, and by the rest of the settings the group of each value."""


def best(comparison: SettingsComparison, most: int = MOST_ROWS) -> list[RunGroup]:
    """Return the best settings, as many as there is room for."""
    return comparison.done[:most]


def left_out(comparison: SettingsComparison, most: int = MOST_ROWS) -> str:
    """Say how many settings are not drawn; nothing if all are."""
    left = len(comparison.done) - most
    return f"The {most} best settings; {counted(left, 'other')} not drawn." if left > 0 else ""


def numeric_axis(comparison: SettingsComparison) -> Axis | None:
    """Return the key with the most values, at least three numbers, if the rest makes few curves."""
    best: Axis | None = None
    distinguishing = distinguishing_columns([group.settings for group in comparison.done])
    for column in distinguishing:
        rest = [other for other in distinguishing if other != column]
        curves: dict[str, dict[str, RunGroup]] = {}
        for group in comparison.done:
            name = label([comparison.keys[k] for k in rest], [group.settings[k] for k in rest])
            curves.setdefault(name, {})[group.settings[column]] = group
        values = {value for by_value in curves.values() for value in by_value}
        if len(values) < 3 or len(curves) > len(COLOURS) or not all(map(is_finite, values)):
            continue
        if best is None or len(values) > len(best[1]):
            best = column, sorted(values, key=float), curves
    return best
