"""Partitions: which actor owned how many rows, and of which classes."""

from fedlocal.figures.partitions import HEAT, MOST_ROWS, NONE, SHADES, partition_drawing
from fedlocal.report.groups import SettingsComparison
from fedlocal.report.number_format import counted
from fedlocal.report.recorded_run import RecordedRun
from fedlocal.report.section import LegendEntry, PageFigure, Section
from fedlocal.results.atomic_files import ResultsError

MOST = 12

SHARES = (
    LegendEntry(NONE, "none of its rows"),
    *(
        LegendEntry(HEAT, name, opacity=SHADES[level])
        for level, name in ((2, "up to 6 %"), (4, "25 %"), (6, "56 %"), (8, "all have this class"))
    ),
)


def partitions(comparison: SettingsComparison) -> Section | None:
    """Draw the distinct partitions, of the first seed that has them."""
    distinct: dict[str, tuple[str, RecordedRun]] = {}
    missing = 0
    for group in comparison.groups:
        run = next((run for run in group.runs if run.partition), None)
        if run is None:
            missing += any(run.row.arms for run in group.runs)
        else:
            distinct.setdefault(repr(run.partition), (group.label, run))
    figures = [figure for name, run in list(distinct.values())[:MOST] if (figure := _figure(name, run))]
    if not figures and not missing:
        return None
    legend = SHARES if any("counts" in run.partition for _, run in distinct.values()) else ()
    note = _note(len(distinct) - MOST, missing)
    return Section(
        "partitions", "Partitions", _intro(comparison) if figures else "", tuple(figures), legend, note
    )


def _intro(comparison: SettingsComparison) -> str:
    intro = "Each line is an actor; the bars at the right: how many rows it owns."
    seeded = any(len({run.seed for run in group.runs}) > 1 for group in comparison.groups)
    return f"{intro} Of several seeds the first is shown." if seeded else intro


def _note(left: int, missing: int) -> str:
    notes = [f"{counted(left, 'further partition')} not drawn."] if left > 0 else []
    if missing:
        notes.append(
            f"{counted(missing, 'setting')} without a partition.json, which older runs did not write."
        )
    return " ".join(notes)


def _figure(name: str, run: RecordedRun) -> PageFigure | None:
    """Draw a partition; None where its file is damaged."""
    stored = run.partition
    try:
        drawing, shown = partition_drawing(stored, MOST_ROWS)
        least, _, middle, _, most = (float(size) for size in stored["size_quantiles"])
        spread = "The spread of the targets; " if "quantiles" in stored else ""
        rows = f"{least:g} to {most:g} rows, {middle:g} in the middle"
        words = f"{spread}{counted(int(stored['actors']), 'actor')} with {rows}."
    except (ResultsError, KeyError, TypeError, ValueError, IndexError, OverflowError):
        return None
    return PageFigure(name + shown, words, drawing)
