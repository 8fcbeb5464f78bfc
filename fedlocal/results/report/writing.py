"""The files of a report, each written in one go."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fedlocal.results.files import ResultsError, replacing
from fedlocal.results.report.comparing import comparison_table
from fedlocal.results.report.finding import find_runs
from fedlocal.results.report.groups import compare
from fedlocal.results.report.markdown import markdown
from fedlocal.results.report.page import page
from fedlocal.results.report.reading import Recorded, read
from fedlocal.results.report.svg.element import clean
from fedlocal.results.sweep import comparison_csv


def write_report(folders: Sequence[Path], place: Path) -> Path:
    """Write ``report.html``, ``comparison.csv`` and ``comparison.md`` over runs, from their folders alone.

    Parameters
    ----------
    folders : sequence of Path
        Runs, sweeps, or folders of these. A run that failed, was interrupted or still goes on is part of the
        report as far as it got.
    place : Path
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
    runs = [read(name, folder) for name, folder in find_runs(folders).items()]
    _check(runs)
    comparison = compare(runs)
    table = comparison_table(comparison)
    rows = [replace(run.row, run=run.name) for run in runs]
    written = {
        "report.html": page(comparison, table, runs),
        "comparison.md": clean(markdown(table)),
        "comparison.csv": comparison_csv(rows),
    }
    for name, content in written.items():
        with replacing(place / name) as stream:
            stream.write(content.encode("utf-8", "replace"))
    return place / "report.html"


def _check(runs: Sequence[Recorded]) -> None:
    """Refuse runs of which nothing is left that could be shown."""
    if any(run.row.status != "unreadable" or run.history.rounds for run in runs):
        return
    reasons = dict.fromkeys(f"{run.folder}: {run.row.error}" for run in runs[:3])
    raise ResultsError(f"no run can be read: {'; '.join(reasons)}")
