"""The tables of the study: a row for each trial in ``results.csv``, sums by arm in ``results.md``."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.faults.arms import FEDLOCAL
from experiments.faults.judge import CHARGED
from experiments.records import read, write

HEADING = (
    "| system | training | faults | runs | faults survived / tried | replies / messages | lost | duplicated "
    "| unexpected | hashes equal | runs with errors | retried | recovery p50, p95 (s) | leaks |"
)
COLUMNS = HEADING.count("|") - 1


@dataclass(frozen=True)
class Row:
    """One trial: its arm and the seed of its nemesis, how it ended, its messages and its weights.

    The seconds are from start to end, ``calm`` those of the fault-free twin; ``tried`` are faults that hit a
    living process. Of Flower's messages the last four counts are not known, but for those that got no
    answer. ``difference`` is the largest between weights and the twin's; NaN if there are none to compare.
    """

    system: str
    training: str
    menace: str
    seed: int
    outcome: str
    seconds: float
    calm: float
    tried: int
    faults: str
    posted: int
    replied: int
    failed: int
    lost: int
    duplicated: int
    unexpected: int
    retried: int
    leaks: str
    hash: str
    twin: str
    difference: float = math.nan
    note: str = ""

    @property
    def arm(self) -> tuple[str, str, str]:
        """What it is summed up with."""
        return self.system, self.training, self.menace

    @property
    def survived(self) -> bool:
        """Whether it ended as fedlocal promises: an error needs a fault that a message is charged with."""
        charged = any(fault in self.faults for fault in CHARGED)
        return self.outcome == "equal" or (self.outcome == "error" and charged)


@dataclass(frozen=True)
class Recovery:
    """A worker that was replaced: the cause of its death, and seconds until the next one was ready."""

    system: str
    training: str
    menace: str
    seed: int
    cause: str
    seconds: float

    @property
    def arm(self) -> tuple[str, str, str]:
        """What it is summed up with."""
        return self.system, self.training, self.menace


def append(path: Path, rows: Sequence[Row] | Sequence[Recovery]) -> None:
    """Add rows to a CSV file."""
    if rows:
        write(path, [*read(path, type(rows[0])), *rows])


def trials(path: Path) -> list[Row]:
    """Read the trials of a ``results.csv``; none where there is no such file."""
    return read(path, Row)


def recoveries(path: Path) -> list[Recovery]:
    """Read the recoveries of a ``recoveries.csv``; none where there is no such file."""
    return read(path, Recovery)


def as_markdown(rows: Iterable[Row], recovered: Iterable[Recovery]) -> str:
    """Return the table: a line for each arm, and one for all of a system."""
    rows, recovered = list(rows), list(recovered)
    arms = list(dict.fromkeys(row.arm for row in rows))
    lines = [HEADING, "|" + "---|" * COLUMNS]
    for system in dict.fromkeys(row.system for row in rows):
        of_system = [arm for arm in arms if arm[0] == system]
        lines += [_line(arm, *_of({arm}, rows, recovered)) for arm in of_system]
        if len(of_system) > 1:
            lines.append(_line((f"**{system}**", "**all**", ""), *_of(set(of_system), rows, recovered)))
    return "\n".join(lines) + "\n"


def _of(
    arms: set[tuple[str, str, str]], rows: list[Row], recovered: list[Recovery]
) -> tuple[list[Row], list[Recovery]]:
    return [row for row in rows if row.arm in arms], [
        recovery for recovery in recovered if recovery.arm in arms
    ]


def _line(arm: tuple[str, str, str], rows: Sequence[Row], recovered: Sequence[Recovery]) -> str:
    tried = sum(row.tried for row in rows)
    survived = sum(row.tried for row in rows if row.survived)
    judged = [row for row in rows if row.outcome != "error"]
    equal = sum(row.outcome == "equal" for row in judged)
    counts = [str(sum(getattr(row, name) for row in rows)) for name in ("lost", "duplicated", "unexpected")]
    replies = f"{sum(row.replied for row in rows)} / {sum(row.posted for row in rows)}"
    cells = [*arm, str(len(rows)), f"{survived} / {tried}", replies, *counts, f"{equal}/{len(judged)}"]
    cells += [str(len(rows) - len(judged)), str(sum(row.retried for row in rows)), _spread(recovered)]
    leaks = ", ".join(row.leaks for row in rows if row.leaks) or "0"
    cells.append(leaks if FEDLOCAL in arm[0] else "not counted")
    return f"| {' | '.join(cells)} |"


def _spread(recovered: Sequence[Recovery]) -> str:
    if not recovered:
        return ""
    middle, most = np.percentile([recovery.seconds for recovery in recovered], [50, 95])
    return f"{middle:.2f}, {most:.2f}"
