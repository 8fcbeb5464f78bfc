"""Check a journal: every message has exactly one result, none was lost, none counted twice.

The four numbers are those of Jepsen's ``total-queue`` checker: what goes in must come out.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

RESULTS = ("replied", "failed")


@dataclass
class Audit:
    """What a journal says happened; messages of several sessions (after a resume) are counted together.

    Parameters
    ----------
    posted, replied, failed : int
        Messages.
    lost : int
        Posted, and without a result when the system closed or the journal ended. A session that was killed
        from outside loses what was under way; `interrupted` tells.
    duplicated : int
        With more than one result.
    unexpected : int
        With a result, but never posted.
    retried, stale, restarted : int
        Retries; answers that were dropped; workers that were replaced.
    recovered : int
        Messages that were retried and have a reply.
    interrupted : int
        Sessions without an end.
    deaths : Counter
        Workers that died, by cause.
    recovery : list of float
        Seconds from each death to its replacement being ready.
    """

    posted: int = 0
    replied: int = 0
    failed: int = 0
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    retried: int = 0
    stale: int = 0
    restarted: int = 0
    recovered: int = 0
    interrupted: int = 0
    deaths: "Counter[str]" = field(default_factory=Counter)
    recovery: list[float] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether every message had exactly one result."""
        exact = self.posted == self.replied + self.failed
        return exact and not (self.lost or self.duplicated or self.unexpected)


def audit(path: "str | PathLike[str]") -> Audit:
    """Check a journal.

    Parameters
    ----------
    path : path-like
        A ``journal.jsonl``. A last line that is torn is left out.

    Raises
    ------
    ValueError
        If a line other than the last is not JSON.
    """
    totals = Audit()
    for session in _sessions(Path(path)):
        _check(session, totals)
    return totals


def events(path: "str | PathLike[str]") -> Iterator[dict[str, Any]]:
    """Yield the events of a journal."""
    lines = Path(path).read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if line and number < len(lines):
            try:
                yield json.loads(line)
            except ValueError as error:
                if lines[number].startswith(b'{"event": "opened"'):
                    continue  # torn when its session was killed; the next one went on behind it
                raise ValueError(f"{path}, line {number}: not JSON ({error})") from error


def _sessions(path: Path) -> Iterator[list[dict[str, Any]]]:
    session: list[dict[str, Any]] = []
    for event in events(path):
        if event["event"] == "opened" and session:
            yield session
            session = []
        session.append(event)
    if session:
        yield session


def _check(session: list[dict[str, Any]], totals: Audit) -> None:
    kinds = Counter(event["event"] for event in session)
    results = Counter(event["message"] for event in session if event["event"] in RESULTS)
    posted = {event["message"] for event in session if event["event"] == "posted"}
    replied = {event["message"] for event in session if event["event"] == "replied"}
    totals.posted += len(posted)
    totals.replied += len(replied)
    totals.failed += len(results) - len(replied)
    totals.lost += len(posted - set(results))
    totals.duplicated += sum(1 for count in results.values() if count > 1)
    totals.unexpected += len(set(results) - posted)
    totals.retried += kinds["retried"]
    totals.stale += kinds["stale"]
    totals.restarted += kinds["restarted"]
    totals.recovered += len({event["message"] for event in session if event["event"] == "retried"} & replied)
    totals.interrupted += not kinds["closed"]
    totals.deaths.update(event["cause"] for event in session if event["event"] == "died")
    totals.recovery += [event["seconds"] for event in session if event["event"] == "restarted"]
