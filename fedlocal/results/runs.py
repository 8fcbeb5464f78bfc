"""The runs of a sweep, read from their folders alone.

A sweep is a folder of run folders. A run that ended, well or not, holds a ``summary.json``: ``status``
(``completed``, ``failed`` or ``interrupted``), ``error``, ``overrides`` (as on the command line), ``arms``
(the fields of `Arm`), ``hash``, ``rounds`` and ``duration`` (seconds). Nothing here needs the sweep to be
over, nor all its runs to have gone well.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from fedlocal.results.table import Arm


@dataclass(frozen=True)
class SweepRow:
    """One run of a sweep.

    Parameters
    ----------
    run : str
        The name of its folder.
    status : str
        ``completed``, ``failed``, ``interrupted``, or ``unreadable`` where there is no sound
        ``summary.json``.
    error : str or None
        Why it did not complete.
    overrides : Mapping[str, str]
        What was set for it, by key.
    arms : tuple of Arm
        Its results, the scheme it is about first.
    hash : str or None
        Of the final weights.
    rounds : int or None
        How many it ran.
    duration : float or None
        Of the whole run, in seconds.
    hashes : Mapping[str, str]
        Of each arm's final weights.
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
        """In one line, what became of it and, if it did not complete, why."""
        lines = (self.error or "").strip().splitlines()
        return f"{self.status}: {lines[0]}" if lines else self.status

    @property
    def speed_ups(self) -> dict[str, float]:
        """How many times faster the main arm trained than each of the others, by their names."""
        return {arm.name: arm.speed_up for arm in self.arms[1:] if arm.speed_up is not None}


def collect(folder: Path) -> list[SweepRow]:
    """Read the runs of a sweep, in the order of their job numbers.

    Parameters
    ----------
    folder : Path
        The sweep's folder. Each folder in it is a run if its name is a number or it holds a ``summary.json``.

    Returns
    -------
    list of SweepRow
        A run whose summary is missing or damaged is a row with the reason.

    Raises
    ------
    OSError
        If the folder itself cannot be read.
    """
    runs = [each for each in folder.iterdir() if each.name.isdecimal() or (each / "summary.json").is_file()]
    return [read_run(run) for run in sorted(runs, key=lambda run: job_number(run.name)) if run.is_dir()]


def differing(rows: Iterable[SweepRow]) -> list[str]:
    """Return the keys whose values are not the same in all runs, in the order in which they were given."""
    known = [row.overrides for row in rows if row.status != "unreadable"]
    keys = dict.fromkeys(key for overrides in known for key in overrides)
    return [key for key in keys if len({overrides.get(key) for overrides in known}) > 1]


def read_run(run: Path) -> SweepRow:
    """Read how a run ended; where its summary is missing or damaged, the reason is its error."""
    try:
        return _row(run.name, json.loads((run / "summary.json").read_bytes()))
    except FileNotFoundError:
        return SweepRow(run.name, "unreadable", "no summary.json: still running, or killed before its end")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return SweepRow(run.name, "unreadable", f"summary.json is damaged: {type(error).__name__}: {error}")


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


def job_number(name: str) -> tuple[bool, int, str]:
    """Return what puts the names of runs in order: numbers as numbers, then the others."""
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
    words = ("name", "reused")
    numbers = {each.name: _number(stored.get(each.name)) for each in fields(Arm) if each.name not in words}
    return Arm(name=str(stored["name"]), reused=stored.get("reused"), **numbers)  # type: ignore[arg-type]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)  # "nan" and "inf" are strings in strict JSON
