"""Box plots: of the final accuracy over seeds, and of what a round took."""

import math

from fedlocal.report.groups import Comparison, Group
from fedlocal.report.number_format import listed
from fedlocal.report.sections.selection import best
from fedlocal.report.svg.element import Figure
from fedlocal.report.svg.rows import Row, boxes
from fedlocal.results.formatting import duration, fixed


def seeds(comparison: Comparison) -> Figure | None:
    """Draw the final accuracy, or loss, of each seed."""
    found = [(group, _finals(comparison, group)) for group in best(comparison)]
    rows = [Row(group.label, f"n = {len(values)}", values=values) for group, values in found if values]
    if not any(len(row.values) > 1 for row in rows):
        return None
    said = listed([f"{row.label} from {fixed(min(row.values))} to {fixed(max(row.values))}" for row in rows])
    name = f"final {comparison.quality}"
    return boxes(rows, f"Final {comparison.quality} of each seed", f"{said}.", name)


def rounds(comparison: Comparison) -> Figure | None:
    """Draw what each round took, of the settings and of the baseline."""
    found = [(group, _times(group)) for group in best(comparison)]
    rows = [Row(group.label, duration(_median(times)), values=times) for group, times in found if times]
    if not rows:
        return None
    rows += _baseline_row(comparison)
    said = listed([f"{row.label} {row.note}" for row in rows])
    words = f"Dispatch, training, collection and aggregation of each round; medians: {said}."
    if max(value for row in rows for value in row.values) >= 1:
        return boxes(rows, "What a round took (median)", words, "seconds")
    shown = [
        Row(row.label, row.note, row.style, values=tuple(1e3 * each for each in row.values)) for row in rows
    ]
    return boxes(shown, "What a round took (median)", words, "milliseconds")


def _baseline_row(comparison: Comparison) -> list[Row]:
    """Return the row of the best setting's baseline, if there is one."""
    for name in comparison.baselines[:1]:
        histories = [run.baseline_history(name) for run in comparison.done[0].done]
        times = tuple(
            one.timed for history in histories for one in history.rounds if 0 < one.timed < math.inf
        )
        if times:
            return [Row(name, duration(_median(times)), "base", values=times)]
    return []


def _finals(comparison: Comparison, group: Group) -> tuple[float, ...]:
    found = {run.seed: comparison.value(run.row.arms[0]) for run in group.done}
    return tuple(value for value in found.values() if value is not None and math.isfinite(value))


def _times(group: Group) -> tuple[float, ...]:
    return tuple(one.timed for run in group.done for one in run.history.rounds if 0 < one.timed < math.inf)


def _median(values: tuple[float, ...]) -> float:
    return sorted(values)[len(values) // 2]
