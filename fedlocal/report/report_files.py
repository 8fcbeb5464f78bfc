"""The files of a report, each written in one go."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fedlocal.figures.canvas import clean
from fedlocal.report.comparison_table import comparison_table
from fedlocal.report.groups import compare
from fedlocal.report.markdown import markdown
from fedlocal.report.page import page
from fedlocal.report.recorded_run import RecordedRun, read
from fedlocal.report.run_discovery import find_runs
from fedlocal.report.sweep_table import comparison_csv
from fedlocal.results.atomic_files import ResultsError, replacing
from fedlocal.results.runs import SweepRow

logger = logging.getLogger(__name__)


def write_report(folders: Sequence[Path], folder: Path) -> Path:
    """Write ``report.html``, ``comparison.csv`` and ``comparison.md`` over runs, from their folders alone.

    Parameters
    ----------
    folders : sequence of Path
        Runs, sweeps, or folders of these. A run that failed, was interrupted or still goes on is part of the
        report as far as it got.
    folder : Path
        An existing folder for the files.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ResultsError
        If a folder is missing or has no runs, no run in them can be read, or a file cannot be written.
    """
    runs = [read(name, path) for name, path in find_runs(folders).items()]
    _check(runs)
    try:
        written = _files(runs)
    except Exception:  # noqa: BLE001 - whatever strange numbers one run has, the others are shown
        written = _files([_showable(run) for run in runs])
    for name, content in written.items():
        with replacing(folder / name) as stream:
            stream.write(content.encode("utf-8", "replace"))
    return folder / "report.html"


def _files(runs: Sequence[RecordedRun]) -> dict[str, str]:
    """Return the files of a report, by their names."""
    comparison = compare(runs)
    table = comparison_table(comparison)
    return {
        "report.html": page(comparison, table, runs),
        "comparison.md": clean(markdown(table)),
        "comparison.csv": comparison_csv([replace(run.row, run=run.name) for run in runs]),
    }


def _showable(run: RecordedRun) -> RecordedRun:
    """Return a run if it can be shown, or else an unreadable run in its place."""
    try:
        _files([run])
    except Exception as error:  # noqa: BLE001 - whatever strange numbers it has
        reason = f"cannot be shown: {type(error).__name__}: {error}"
        logger.warning("%s %s", run.folder, reason)
        return RecordedRun(run.name, run.folder / "-", SweepRow(run.name, "unreadable", reason))
    return run


def _check(runs: Sequence[RecordedRun]) -> None:
    """Refuse runs of which nothing is left that could be shown."""
    if any(run.row.status != "unreadable" or run.history.rounds for run in runs):
        return
    reasons = dict.fromkeys(f"{run.folder}: {run.row.error}" for run in runs[:3])
    raise ResultsError(f"no run can be read: {'; '.join(reasons)}")
