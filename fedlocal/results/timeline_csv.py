"""The file ``timeline.csv``: when each actor worked, where it works in many stretches in a round.

One line a stretch, ``round,actor,worker,started,seconds``; ``started`` counts from the start of the round. It
is there only where a scheme records such stretches; where actors work once a round, ``metrics.csv`` says all.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.copies import copy_of
from fedlocal.results.csv_file import GrowingCsv, Record, number, read_csv
from fedlocal.results.rounds import Round, Work

logger = logging.getLogger(__name__)

COLUMNS = ("round", *Work._fields)


class TimelineFile:
    """Append the stretches of rounds to a ``timeline.csv``, which is created with the first of them.

    As with `GrowingCsv`, the first failure is logged as a warning, then no more is written.

    Parameters
    ----------
    path : Path
        The file; one of an earlier run is removed.
    rounds : iterable of Round
        The first rounds.
    """

    def __init__(self, path: Path, rounds: Iterable[Round] = ()) -> None:
        self._path = path
        self._file: GrowingCsv | None = None
        self._failed = False
        for old in (path, copy_of(path)):
            old.unlink(missing_ok=True)
        self.append(rounds)

    def append(self, rounds: Iterable[Round]) -> None:
        """Write the stretches of rounds and flush them; on failure warn once and write no more."""
        records = list(_records(rounds))
        if self._file is not None:
            self._file.append(records)
        elif records and not self._failed:
            try:
                self._file = GrowingCsv(self._path, COLUMNS, records)
            except ResultsError as error:
                self._failed = True
                logger.warning("no timeline is written: %s; the run goes on", error)

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        if self._file is not None:
            self._file.close()


def with_work(rounds: Sequence[Round], path: Path) -> list[Round]:
    """Return rounds with the stretches that a ``timeline.csv`` has of them, if it is there."""
    work: dict[int, list[Work]] = {}
    if path.exists() or copy_of(path).exists():
        try:
            work = _read(path)
        except ResultsError as error:
            logger.warning("the rounds are read without their timeline: %s", error)
    return [
        replace(round_, work=work[round_.number]) if round_.number in work else round_ for round_ in rounds
    ]


def _records(rounds: Iterable[Round]) -> Iterator[Record]:
    for round_ in rounds:
        for actor, worker, started, seconds in round_.work:
            yield round_.number, actor, worker, number(started), number(seconds)


def _read(path: Path) -> dict[int, list[Work]]:
    rounds: dict[int, list[Work]] = {}
    for fields in read_csv(path, COLUMNS):
        round_number, work = _work(path, fields)
        rounds.setdefault(round_number, []).append(work)
    return rounds


def _work(path: Path, fields: Sequence[str]) -> tuple[int, Work]:
    try:
        round_number, actor, worker, started, seconds = fields
        return int(round_number), Work(int(actor), int(worker), float(started), float(seconds))
    except ValueError as error:
        msg = f"{path}: {','.join(fields)!r} is not a row of {','.join(COLUMNS)}"
        raise ResultsError(msg) from error
