"""The table and the figure over the runs of a sweep."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from fedlocal.display.table import marked_ratio, plain_table
from fedlocal.display.verdict import doubts
from fedlocal.figures.canvas import write_png
from fedlocal.report.groups import compare
from fedlocal.report.number_format import counted
from fedlocal.report.recorded_run import RecordedRun
from fedlocal.report.sections.measures import sweep_drawings
from fedlocal.results.arm import Arm
from fedlocal.results.atomic_files import replacing
from fedlocal.results.formatting import duration, fixed, harmless
from fedlocal.results.runs import SweepRow, collect, differing

if TYPE_CHECKING:
    from rich.table import Table


def sweep_table(rows: Sequence[SweepRow], title: str | None = None) -> "Table":
    """Lay out the runs of a sweep as a table, one line each.

    Parameters
    ----------
    rows : sequence of SweepRow
        As `collect` returns them.
    title : str or None
        A line above the table.

    Returns
    -------
    rich.table.Table
        Of the overrides only those that differ between runs are columns. `sweep_notes` says how to read it.
    """
    from rich.text import Text

    keys = differing(rows)
    compared = [arm for row in rows if row.main for arm in row.arms[1:] if arm.speed_up is not None]
    baselines = list(dict.fromkeys(arm.name for arm in compared))
    accurate = any(row.main is not None and row.main.accuracy is not None for row in rows)
    numbers = ("accuracy" if accurate else "loss", "training\ntime", *map(_over, baselines))
    table = plain_table(title, ("run", *keys), numbers)
    for row in rows:
        settings = [row.overrides.get(key, "") for key in keys]
        table.add_row(*map(Text, (row.run, *settings, *_results(row, baselines, accurate=accurate))))
    return table


def sweep_notes(rows: Sequence[SweepRow]) -> list[str]:
    """Say what became of the runs that did not complete, and what the marks of `sweep_table` mean."""
    notes = [f"run {row.run} {row.reason}" for row in rows if row.status != "completed"]
    if any(arm.reused is not None for row in rows for arm in row.arms):
        notes.append("~ over a baseline of another run, not trained in turn (sweep.baseline=each: in turn)")
    compared = [(row.arms[0], arm) for row in rows for arm in row.arms[1:] if arm.speed_up is not None]
    if any(main.trained_rows != arm.trained_rows for main, arm in compared):
        notes.append("speed-up is for a row of data: not all runs trained on as many rows as their baselines")
    notes += doubts(arm for _, arm in compared)
    return notes


def _over(baseline: str) -> str:
    """Return a column's header, broken so that it stays narrow."""
    return "speed-up\nover\n" + baseline.replace(", ", ",\n")


def _results(row: SweepRow, baselines: Sequence[str], *, accurate: bool) -> list[str]:
    arm = row.main
    if arm is None:
        return [row.status, *["-"] * (1 + len(baselines))]
    quality = arm.accuracy if accurate else arm.loss
    speed_ups = {baseline.name: marked_ratio(baseline.speed_up, baseline) for baseline in row.arms[1:]}
    return [fixed(quality), duration(arm.seconds), *(speed_ups.get(name, "-") for name in baselines)]


def write_sweep(folder: Path, *, figure: bool = True) -> list[SweepRow]:
    """Write ``comparison.csv`` and ``comparison.png`` over the runs that a sweep has so far.

    Called after each run; each file is replaced in one go, so a reader never meets half of one.

    Parameters
    ----------
    folder : Path
        The sweep's folder. The table is tidy: one line a run and arm, a line without an arm for a run that
        has none. The figure is drawn once a run has completed.
    figure : bool
        Whether it is drawn.

    Returns
    -------
    list of SweepRow
        The runs, as `collect` returns them.

    Raises
    ------
    OSError
        If the folder cannot be read.
    ResultsError
        If a file cannot be written.
    """
    rows = collect(folder)
    with replacing(folder / "comparison.csv") as stream:
        stream.write(comparison_csv(rows).encode())
    if figure and any(row.main is not None for row in rows):
        sweep_figure(rows, folder / "comparison.png")
    return rows


def sweep_figure(rows: Sequence[SweepRow], path: Path) -> None:
    """Draw final quality and speed-up of the completed runs as the page does, by the options they were given.

    Parameters
    ----------
    rows : sequence of SweepRow
        As `collect` returns them; at least one has completed.
    path : Path
        The PNG to write.

    Raises
    ------
    ResultsError
        If the file cannot be written.
    """
    done = [row for row in rows if row.main is not None]
    runs = [RecordedRun(row.run, path.parent / row.run, row, {"run": "", **row.overrides}) for row in done]
    title = f"Comparison of {counted(len(done), 'run')}"
    title += f"; {len(rows) - len(done)} more did not complete" if len(done) < len(rows) else ""
    write_png(sweep_drawings(compare(runs)), path, title)


def comparison_csv(rows: Sequence[SweepRow]) -> str:
    """Return runs as CSV: one line a run and arm, a line without an arm for a run that has none."""
    keys = list(dict.fromkeys(key for row in rows for key in row.overrides))
    results = [f"arm_{field.name}" if field.name == "name" else field.name for field in fields(Arm)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_cells(["run", "status", "error", "rounds_done", "duration", "hash", *keys, *results]))
    for row in rows:
        run = [row.run, row.status, row.error, row.rounds, row.duration, row.hash]
        settings = [row.overrides.get(key) for key in keys]
        for arm in row.arms or (None,):
            measured = asdict(arm).values() if arm else [None] * len(results)
            writer.writerow(_cells([*run, *settings, *measured]))
    return text.getvalue()


def _cells(values: Sequence[object]) -> list[object]:
    return [harmless(value) if isinstance(value, str) else value for value in values]
