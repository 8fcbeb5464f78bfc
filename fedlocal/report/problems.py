"""The runs that did not complete, by what ended them."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedlocal.report.recorded_run import Recorded

UNSAID = {"interrupted": "ended by Ctrl-C or a signal"}


@dataclass(frozen=True)
class Problem:
    """What ended some runs: their status, the reason, and the runs."""

    status: str
    reason: str
    runs: tuple[Recorded, ...]


def problems(runs: Sequence[Recorded]) -> list[Problem]:
    """Return what ended the runs that did not complete, each reason once."""
    found: dict[tuple[str, str], list[Recorded]] = {}
    for run in runs:
        if run.row.status != "completed":
            found.setdefault(
                (run.row.status, run.row.error or UNSAID.get(run.row.status, "no reason is known")), []
            ).append(run)
    return [Problem(*what, tuple(which)) for what, which in found.items()]
