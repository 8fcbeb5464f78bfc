"""The judge: what a run under the nemesis came to, from its journal, its hash and what it left behind."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedlocal.actors.engine.audit import Audit, audit, events

CHARGED = ("crash", "stop")  # faults that a message may have to answer for
OUTCOMES = {
    "equal": "ended with the hash of its fault-free twin, and one result for each message",
    "error": "ended in order with one result for each message, some of them an error: hashes may differ",
    "differs": "ended in order, with other weights",
    "unsound": "messages were lost, doubled or made up",
    "failed": "ended with an error though no message had one",
    "hang": "had to be ended by the watchdog",
}


@dataclass(frozen=True)
class Evidence:
    """What is known of a run when all is over.

    Its exit code (None if the watchdog ended it), its seconds, the faults that hit a living process, what it
    said of itself (empty if it did not come to that), its journal, what it left behind by kind, and the end
    of what it printed.
    """

    code: int | None
    seconds: float
    tried: "Counter[str]"
    report: Mapping[str, Any]
    journal: Path | None = None
    left: Mapping[str, int] = field(default_factory=dict)
    said: str = ""

    @property
    def leaks(self) -> dict[str, int]:
        """What is left that was not there before, by kind; only what there is any of."""
        before, after = self.report.get("before", {}), self.report.get("after", {})
        grown = {name: max(0, after[name] - before[name]) for name in after}
        return {name: count for name, count in {**self.left, **grown}.items() if count}


def outcome(evidence: Evidence, audit: Audit, twin: str) -> str:
    """Return which of `OUTCOMES` a run came to, given the hash of its fault-free twin."""
    if evidence.code is None:
        return "hang"
    if not audit.sound:
        return "unsound"
    if evidence.code != 0 or not audit.posted:
        return "failed"
    if audit.failed:
        return "error"
    return "equal" if evidence.report.get("hash") == twin else "differs"


def audit_of(evidence: Evidence) -> Audit:
    """Check the journal of a run; without one, nothing was posted."""
    if evidence.journal is None or not evidence.journal.exists():
        return Audit()
    return audit(evidence.journal)


def recoveries(journal: Path) -> list[tuple[str, float]]:
    """Return, for each place that was filled again, why it fell vacant, and its seconds without a worker."""
    causes: dict[int, str] = {}
    recoveries = []
    for event in events(journal) if journal.exists() else ():
        if event["event"] == "died":
            causes.setdefault(event["worker"], event["cause"])
        elif event["event"] == "restarted":
            recoveries.append((causes.pop(event["worker"], "unknown"), float(event["seconds"])))
    return recoveries
