"""The number that was swept, if there is one: the horizontal axis of what was measured."""

from fedlocal.report.groups import Comparison, Group
from fedlocal.report.settings import label, telling
from fedlocal.report.svg.lines import COLOURS
from fedlocal.results.formatting import is_finite

Axis = tuple[int, list[str], dict[str, dict[str, Group]]]
"""A key's position, its values, ascending, and by the rest of the settings the group of each value."""


def numeric_axis(comparison: Comparison) -> Axis | None:
    """Return the key with the most values, at least three numbers, if the rest makes few curves."""
    best: Axis | None = None
    told = telling([group.settings for group in comparison.done])
    for place in told:
        others = [other for other in told if other != place]
        curves: dict[str, dict[str, Group]] = {}
        for group in comparison.done:
            rest = label([comparison.keys[k] for k in others], [group.settings[k] for k in others])
            curves.setdefault(rest, {})[group.settings[place]] = group
        values = {value for by_value in curves.values() for value in by_value}
        if len(values) < 3 or len(curves) > COLOURS or not all(map(is_finite, values)):
            continue
        if best is None or len(values) > len(best[1]):
            best = place, sorted(values, key=float), curves
    return best
