"""The runs in folders, by their names."""

from collections.abc import Sequence
from pathlib import Path

from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.runs import MARKS, is_run, runs_below


def find_runs(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the runs in folders, each by a name that tells it from the others.

    Parameters
    ----------
    folders : sequence of Path
        Runs, sweeps, or folders of these. Each run counts once, however often it was named.

    Raises
    ------
    ResultsError
        If a folder is missing, cannot be read, or has no run in it.
    """
    names: dict[Path, str] = {}
    for folder in folders:
        runs = _runs_in(folder)
        if not runs:
            raise ResultsError(
                f"{folder}: there is no run in it: expected a folder with {' or '.join(MARKS)}"
            )
        for run in runs:
            names.setdefault(run.resolve(), _name(run, folder, alone=len(folders) == 1))
    by_name: dict[str, Path] = {}
    for path, name in names.items():
        by_name[name if name not in by_name else str(path)] = path
    return by_name


def _name(run: Path, folder: Path, *, alone: bool) -> str:
    within = run.relative_to(folder).as_posix()
    if within == ".":
        return folder.resolve().name or str(folder.resolve())
    return within if alone else f"{folder.resolve().name}/{within}"


def _runs_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ResultsError(f"{folder}: {'is not a folder' if folder.exists() else 'there is no such folder'}")
    try:
        return [folder] if is_run(folder) else list(runs_below(folder))
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be read: {error.strerror or error}") from error
