"""Partitions: which actor owned how many rows, and of which classes."""

from collections.abc import Mapping
from typing import Any

from fedlocal.report.groups import SettingsComparison
from fedlocal.report.number_format import counted
from fedlocal.report.recorded_run import RecordedRun
from fedlocal.report.section import Section
from fedlocal.report.svg.element import Figure
from fedlocal.report.svg.heat_map import MOST_ROWS, heat_map, spread

MOST = 12

SHARES = (
    ("h0", "none of its rows"),
    ("h2", "up to 6 %"),
    ("h4", "25 %"),
    ("h6", "56 %"),
    ("h8", "all have this class"),
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


def _figure(name: str, run: RecordedRun) -> Figure | None:
    """Draw a partition; None where its file is damaged."""
    try:
        return _drawn(name, run.partition)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return None


def _drawn(name: str, stored: Mapping[str, Any]) -> Figure:
    actors, sizes = [int(actor) for actor in stored["shown"]], [float(size) for size in stored["sizes"]]
    least, _, middle, _, most = (float(size) for size in stored["size_quantiles"])
    words = f"{int(stored['actors'])} actors with {least:g} to {most:g} rows, {middle:g} in the middle"
    title = name
    drawn = min(len(actors), MOST_ROWS)
    if drawn < int(stored["actors"]):
        title += f" ({drawn} of {int(stored['actors'])} actors, at even distances)"
    if not len(actors) == len(sizes) == len(stored.get("counts", stored.get("quantiles"))):
        raise ValueError("lines are missing")
    if "quantiles" in stored:
        quantiles = [[float(value) for value in line] for line in stored["quantiles"]]
        return spread(quantiles, actors, sizes, title, f"The spread of the targets; {words}.")
    counts = [[float(count) for count in line] for line in stored["counts"]]
    return heat_map(counts, actors, [str(name) for name in stored["classes"]], sizes, title, f"{words}.")
