"""The runs of a sweep, read from their folders alone.

A sweep is a folder of run folders. A run that ended, well or not, holds a ``summary.json``: ``status``
(``completed``, ``failed`` or ``interrupted``), ``error``, ``overrides`` (as on the command line), ``arms``
(the fields of `Arm`), ``hash``, ``rounds`` and ``duration`` (seconds). Nothing here needs the sweep to be
over, nor all its runs to have gone well.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from fedlocal.results.arm import Arm
from fedlocal.results.atomic_files import ResultsError, read_json

logger = logging.getLogger(__name__)

MARKS = ("summary.json", "config.yaml", "metrics.csv")
"""A folder that holds one of these is a run's: the first is missing where a run was killed."""

DEEPEST = 6
"""Levels below a folder: ``outputs`` holds days, which hold runs; studies, and a sweep's, may be deeper."""


@dataclass(frozen=True)
class SweepRow:
    """One run of a sweep.

    Parameters
    ----------
    run : str
        The name of its folder, as a path in the sweep's.
    status : str
        ``completed``, ``failed``, ``interrupted``, or ``unreadable`` where there is no sound
        ``summary.json``.
    error : str or None
        Why it did not complete.
    overrides : Mapping[str, str]
        The run's settings from the command line, by key.
    arms : tuple of Arm
        The run's results, the main scheme's first.
    hash : str or None
        The hash of the final weights.
    rounds : int or None
        The number of rounds.
    duration : float or None
        Seconds of the whole run.
    hashes : Mapping[str, str]
        The hash of each arm's final weights, by the arm's name.
    """

    run: str
    status: str
    error: str | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    arms: tuple[Arm, ...] = ()
    hash: str | None = None
    rounds: int | None = None
    duration: float | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def main(self) -> Arm | None:
        """The arm that the run is about, None if the run did not complete."""
        return self.arms[0] if self.arms and self.status == "completed" else None

    @property
    def reason(self) -> str:
        """The status in one line, with the error if the run did not complete."""
        lines = (self.error or "").strip().splitlines()
        return f"{self.status}: {lines[0]}" if lines else self.status

    @property
    def speed_ups(self) -> dict[str, float]:
        """The main arm's credible speed-ups over the other arms, by their names."""
        speed_ups = {arm.name: arm.credible_speed_up for arm in self.arms[1:]}
        return {name: value for name, value in speed_ups.items() if value is not None}


def collect(folder: Path) -> list[SweepRow]:
    """Read the runs in a sweep's folder, in the order of their job numbers.

    `runs_below` says which folders in it are runs; one whose summary is missing or damaged is a row with the
    reason.

    Raises
    ------
    OSError
        If the folder itself cannot be read.
    """
    return [read_run(run, run.relative_to(folder).as_posix()) for run in runs_below(folder, sweep=True)]


def runs_below(folder: Path, levels: int = DEEPEST, *, sweep: bool = False) -> Iterator[Path]:
    """Yield the runs in a folder that is none itself, in the order of their job numbers.

    Parameters
    ----------
    folder : Path
        Of a sweep, or of runs and sweeps. A folder is a run if it holds one of `MARKS`, or its name is a
        number and those beside it are runs.
    levels : int
        The greatest depth of a run below the folder.
    sweep : bool
        Whether the folder is a sweep's: then each folder with a number is a run, also if it is still empty.

    Raises
    ------
    OSError
        If the folder itself cannot be read.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    children = [folder / name for name in sorted(names, key=_job_number) if not name.startswith(".")]
    siblings = sweep or (folder / "multirun.yaml").is_file() or any(map(is_run, children))
    for child in children:
        if is_run(child) or (siblings and child.name.isdecimal()):  # started, and killed before it wrote
            yield child
        elif levels > 1:
            try:
                yield from runs_below(child, levels - 1)
            except OSError as error:
                logger.warning("%s is left out: %s", child, error.strerror or error)


def is_run(folder: Path) -> bool:
    """Tell whether a folder is that of a run."""
    return any((folder / name).is_file() for name in MARKS)


def differing(rows: Iterable[SweepRow]) -> list[str]:
    """Return the keys whose values are not the same in all runs, in the order in which they were given."""
    settings = [row.overrides for row in rows if row.status != "unreadable"]
    keys = dict.fromkeys(key for overrides in settings for key in overrides)
    return [key for key in keys if len({overrides.get(key) for overrides in settings}) > 1]


def read_run(run: Path, name: str | None = None) -> SweepRow:
    """Read how a run ended, from its folder; where its summary is missing or damaged, that is its error.

    Without a name, the run has that of its folder.
    """
    name = name or run.name
    try:
        return _row(name, read_json(run / "summary.json"))
    except FileNotFoundError:
        return SweepRow(name, "unreadable", "no summary.json: still running, or killed before its end")
    except ResultsError as error:
        return SweepRow(name, "unreadable", str(error))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        return SweepRow(name, "unreadable", f"summary.json is damaged: {type(error).__name__}: {error}")


def arm_folder(run: Path, name: str) -> Path:
    """Return where the histories lie of a run's arms other than the first."""
    return run / arm_name(name)


def arm_name(name: str) -> str:
    """Return an arm's name as paths have it.

    Examples
    --------
    >>> arm_name("sequential, 1 thread")
    'sequential-1-thread'
    """
    return name.replace(", ", "-").replace(" ", "-")


def parse_overrides(overrides: Sequence[str]) -> dict[str, str]:
    """Split ``key=value`` arguments; a leading ``+`` is dropped, and a removed key has the value ``removed``.

    Examples
    --------
    >>> parse_overrides(["actors=4", "+partition.alpha=0.3", "~tracker"])
    {'actors': '4', 'partition.alpha': '0.3', 'tracker': 'removed'}
    """
    pairs = (text.lstrip("+~").partition("=") for text in overrides)
    return {key: value if equals else "removed" for key, equals, value in pairs}


def _job_number(name: str) -> tuple[bool, int, str]:
    numbered = name.isdecimal()
    return not numbered, int(name) if numbered else 0, name


def _row(name: str, summary: Mapping[str, Any]) -> SweepRow:
    return SweepRow(
        run=name,
        status=str(summary["status"]),
        error=None if summary.get("error") is None else str(summary["error"]),
        overrides=parse_overrides(summary.get("overrides") or []),
        arms=tuple(map(_arm, summary.get("arms") or [])),
        hash=summary.get("hash"),
        rounds=summary.get("rounds"),
        duration=_number(summary.get("duration")),
        hashes=dict(summary.get("hashes") or {}),
    )


def _arm(stored: Mapping[str, Any]) -> Arm:
    words, counts = ("name", "reused"), ("trained_rows", "ended", "processes", "cores")
    stored = {"coordination_share": stored.get("communication_share"), **stored}  # as it was called once
    names = [arm_field.name for arm_field in fields(Arm) if arm_field.name not in words]
    numbers = {name: _number(stored.get(name)) for name in names}
    numbers |= {name: int(value) for name in counts if (value := numbers[name]) is not None}
    return Arm(name=str(stored["name"]), reused=stored.get("reused"), **numbers)  # type: ignore[arg-type]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)  # "nan" and "inf" are strings in strict JSON
