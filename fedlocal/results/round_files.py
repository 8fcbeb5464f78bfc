"""The files that hold rounds: their lines, and back.

``metrics.csv`` has the rows of all rounds (`fedlocal.results.rounds`). ``timeline.csv`` is there only where a
scheme records stretches of work, as `Round.work` has them: ``round,actor,worker,started,seconds``, where
``started`` counts from the start of the round.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.copies import copy_of
from fedlocal.results.csv_file import Record, number, read_csv
from fedlocal.results.formatting import harmless
from fedlocal.results.rounds import HEADER, MetricRow, Round, Work, rounds_from_rows

logger = logging.getLogger(__name__)

METRICS, TIMELINE = "metrics.csv", "timeline.csv"
TIMELINE_HEADER = ("round", *Work._fields)


def metric_records(rounds: Iterable[Round]) -> Iterator[Record]:
    """Yield the lines of a ``metrics.csv``."""
    for round_ in rounds:
        for row in round_.rows():
            actor = "" if row.actor is None else row.actor
            yield row.round, row.phase, actor, _cell(row.metric), number(row.value)


def work_records(rounds: Iterable[Round]) -> Iterator[Record]:
    """Yield the lines of a ``timeline.csv``."""
    for round_ in rounds:
        for actor, worker, started, seconds in round_.work:
            yield round_.number, actor, worker, number(started), number(seconds)


def read_rounds(path: Path, *, actors: bool = True) -> list[Round]:
    """Read a ``metrics.csv``, without a last round that a killed run did not finish writing.

    What each actor did, which is most of it, may be left out.

    Raises
    ------
    ResultsError
        If the file is missing or is not a ``metrics.csv``.
    """
    rows = read_csv(path, HEADER, _metric_row if actors else _metric_row_of_round)
    return rounds_from_rows(row for row in rows if row)


def read_timeline(path: Path) -> dict[int, tuple[Work, ...]]:
    """Read a ``timeline.csv`` as the stretches of each round, likewise."""
    work: dict[int, list[Work]] = {}
    for round_number, stretch in read_csv(path, TIMELINE_HEADER, _stretch):
        work.setdefault(round_number, []).append(stretch)
    return {round_number: tuple(stretches) for round_number, stretches in work.items()}


def with_work(rounds: Sequence[Round], path: Path) -> list[Round]:
    """Return rounds with the stretches that a ``timeline.csv`` has of them, if it is there and sound."""
    work: dict[int, tuple[Work, ...]] = {}
    if path.exists() or copy_of(path).exists():
        try:
            work = read_timeline(path)
        except ResultsError as error:
            logger.warning("the rounds are read without their timeline: %s", error)
    return [replace(round_, work=work.get(round_.number, ())) for round_ in rounds]


def _metric_row(fields: list[str]) -> MetricRow:
    round_number, phase, actor, metric, value = fields
    return MetricRow(int(round_number), phase, int(actor) if actor else None, _text(metric), float(value))


def _metric_row_of_round(fields: list[str]) -> MetricRow | None:
    return None if fields[2:3] > [""] else _metric_row(fields)


def _stretch(fields: list[str]) -> tuple[int, Work]:
    round_number, actor, worker, started, seconds = fields
    return int(round_number), Work(int(actor), int(worker), float(started), float(seconds))


@lru_cache(1024)  # all actors of all rounds report the same few
def _cell(text: str) -> str:
    """Return what stands for a text; an apostrophe before it is none of its own."""
    return f"'{harmless(text)}" if text.startswith("'") else harmless(text)


@lru_cache(1024)
def _text(cell: str) -> str:
    bare = cell.removeprefix("'")
    return bare if _cell(bare) == cell else cell
