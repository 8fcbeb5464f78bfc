"""Box plots: of the final accuracy over seeds, and of the length of rounds."""

import math
from dataclasses import replace
from statistics import median

from fedlocal.figures.canvas import BASELINE
from fedlocal.figures.rows import PlotRow, boxes
from fedlocal.report.groups import RunGroup, SettingsComparison
from fedlocal.report.number_format import listed
from fedlocal.report.section import PageFigure
from fedlocal.report.sections.selection import best
from fedlocal.results.formatting import duration, fixed


def seeds(comparison: SettingsComparison) -> PageFigure | None:
    """Draw the final accuracy, or loss, of each seed."""
    finals = [(group, _finals(comparison, group)) for group in best(comparison)]
    rows = [PlotRow(group.label, f"n = {len(values)}", values=values) for group, values in finals if values]
    if not any(len(row.values) > 1 for row in rows):
        return None
    ranges = [f"{row.label} from {fixed(min(row.values))} to {fixed(max(row.values))}" for row in rows]
    name = f"final {comparison.quality}"
    return PageFigure(f"Final {comparison.quality} of each seed", f"{listed(ranges)}.", boxes(rows, name))


def rounds(comparison: SettingsComparison) -> PageFigure | None:
    """Draw the length of the rounds, of the settings and of the baseline."""
    timed = [(group, _times(group)) for group in best(comparison)]
    rows = [PlotRow(group.label, duration(median(times)), values=times) for group, times in timed if times]
    if not rows:
        return None
    rows += _baseline_row(comparison)
    medians = listed([f"{row.label} {row.note}" for row in rows])
    words = f"Dispatch, training, collection and aggregation of each round; medians: {medians}."
    unit = "seconds"
    if max(value for row in rows for value in row.values) < 1:
        unit = "milliseconds"
        rows = [replace(row, values=tuple(1e3 * value for value in row.values)) for row in rows]
    return PageFigure("What a round took (median)", words, boxes(rows, unit))


def _baseline_row(comparison: SettingsComparison) -> list[PlotRow]:
    """Return the row of the best setting's baseline, if there is one."""
    for name in comparison.baselines[:1]:
        histories = [run.baseline_history(name) for run in comparison.done[0].done]
        times = tuple(
            entry.timed for history in histories for entry in history.rounds if 0 < entry.timed < math.inf
        )
        if times:
            return [PlotRow(name, duration(median(times)), values=times, colour=BASELINE["color"])]
    return []


def _finals(comparison: SettingsComparison, group: RunGroup) -> tuple[float, ...]:
    by_seed = {run.seed: comparison.value(run.row.arms[0]) for run in group.done}
    return tuple(value for value in by_seed.values() if value is not None and math.isfinite(value))


def _times(group: RunGroup) -> tuple[float, ...]:
    return tuple(
        entry.timed for run in group.done for entry in run.history.rounds if 0 < entry.timed < math.inf
    )
