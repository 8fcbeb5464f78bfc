"""Which folders below those that were named are runs."""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from fedlocal.results.files import ResultsError
from fedlocal.results.runs import job_number

logger = logging.getLogger(__name__)

MARKS = ("summary.json", "config.yaml", "metrics.csv")
"""A folder that holds one of these is a run's: the first is missing where a run was killed."""

DEEPEST = 6
"""Levels below a folder that was named: ``outputs`` holds days, which hold runs; studies are deeper."""


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
    found: dict[Path, str] = {}
    for folder in folders:
        runs = _runs_in(folder)
        if not runs:
            raise ResultsError(
                f"{folder}: there is no run in it: expected a folder with {' or '.join(MARKS)}"
            )
        for run in runs:
            found.setdefault(run.resolve(), _name(run, folder, alone=len(folders) == 1))
    named: dict[str, Path] = {}
    for path, name in found.items():
        named[name if name not in named else str(path)] = path
    return named


def _name(run: Path, folder: Path, *, alone: bool) -> str:
    within = run.relative_to(folder).as_posix()
    if within == ".":
        return folder.resolve().name or str(folder.resolve())
    return within if alone else f"{folder.resolve().name}/{within}"


def _runs_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ResultsError(f"{folder}: {'is not a folder' if folder.exists() else 'there is no such folder'}")
    try:
        return [folder] if _is_run(folder) else list(_below(folder, DEEPEST))
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be read: {error.strerror or error}") from error


def _below(folder: Path, levels: int) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        names = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
    children = [folder / name for name in sorted(names, key=job_number) if not name.startswith(".")]
    siblings = (folder / "multirun.yaml").is_file() or any(map(_is_run, children))
    for child in children:
        if _is_run(child) or (siblings and child.name.isdecimal()):  # begun, and killed before it wrote
            yield child
        elif levels > 1:
            try:
                yield from _below(child, levels - 1)
            except OSError as error:
                logger.warning("%s is left out: %s", child, error.strerror or error)


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in MARKS)
