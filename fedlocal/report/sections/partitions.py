"""Partitions: which actor owned how many rows, and of which classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fedlocal.figures.canvas import spaced
from fedlocal.figures.partitions import HEAT, MOST_ROWS, NONE, SHADES, label_map, target_spread
from fedlocal.figures.partitions import left_out as actors_left_out
from fedlocal.report.groups import SettingsComparison
from fedlocal.report.number_format import counted
from fedlocal.report.recorded_run import RecordedRun
from fedlocal.report.section import LegendEntry, PageFigure, Section

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
    try:
        return _drawn(name, run.partition)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return None


def _drawn(name: str, stored: Mapping[str, Any]) -> PageFigure:
    actors, sizes = [int(actor) for actor in stored["shown"]], np.array(stored["sizes"], np.float64)
    least, _, middle, _, most = (float(size) for size in stored["size_quantiles"])
    words = f"{int(stored['actors'])} actors with {least:g} to {most:g} rows, {middle:g} in the middle."
    lines = spaced(len(actors), MOST_ROWS)
    title = name + actors_left_out(len(lines), int(stored["actors"]))
    values = np.array(stored.get("counts", stored.get("quantiles")), np.float64)
    if not len(actors) == len(sizes) == len(values):
        raise ValueError("lines are missing")
    shown = [actors[line] for line in lines]
    if "quantiles" in stored:
        drawing = target_spread(values[lines], shown, sizes[lines])
        return PageFigure(title, f"The spread of the targets; {words}", drawing)
    classes = [str(name) for name in stored["classes"]]
    return PageFigure(title, words, label_map(values[lines], shown, classes, sizes[lines]))
