"""The runs that did not complete, by the reason that ended them."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedlocal.report.recorded_run import RecordedRun

DEFAULT_REASONS = {"interrupted": "ended by Ctrl-C or a signal"}


@dataclass(frozen=True)
class Problem:
    """The status and the reason that ended some runs, and the runs."""

    status: str
    reason: str
    runs: tuple[RecordedRun, ...]


def problems(runs: Sequence[RecordedRun]) -> list[Problem]:
    """Return the distinct reasons that ended runs, each with its runs."""
    ended: dict[tuple[str, str], list[RecordedRun]] = {}
    for run in runs:
        status = run.row.status
        if status != "completed":
            reason = run.row.error or DEFAULT_REASONS.get(status, "no reason is known")
            ended.setdefault((status, reason), []).append(run)
    return [Problem(status, reason, tuple(members)) for (status, reason), members in ended.items()]
