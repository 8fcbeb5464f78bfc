"""The file ``metrics.csv``: written while a run goes on, read back after one that was killed."""

import csv
import io
import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from fedlocal.results.files import ResultsError, replacing
from fedlocal.results.rounds import HEADER, Row

logger = logging.getLogger(__name__)


class MetricsFile:
    """Append rows to a ``metrics.csv`` and flush them, as long as the disk lets us.

    A results file must not end hours of training: the first write that fails is logged as a warning, and
    nothing more is written, so that what stands in the file is whole up to that point.

    Parameters
    ----------
    path : Path
        The file; created, or replaced, with its header at once.
    rows : iterable of Row
        What it begins with.

    Raises
    ------
    ResultsError
        If the file cannot be created: nothing is lost yet, so this one is not forgiven.
    """

    def __init__(self, path: Path, rows: Iterable[Row] = ()) -> None:
        self._path = path
        try:
            write_metrics(path, rows)
            self._stream: io.TextIOWrapper | None = path.open("a", newline="", encoding="utf-8")
        except (OSError, ResultsError) as error:
            raise ResultsError(f"{error}; choose a folder that can be written") from error

    def append(self, rows: Iterable[Row]) -> None:
        """Write rows and flush them; on failure warn once and write no more."""
        if self._stream is None:
            return
        try:
            self._stream.write(_lines(map(_fields, rows)))
            self._stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream was closed under us
            stream, self._stream = self._stream, None
            with suppress(OSError):
                stream.close()
            logger.warning("%s: no more rows are written (%s); the run goes on", self._path, error)

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        try:
            stream.close()
        except OSError as error:
            logger.warning("%s: its last rows may be missing (%s)", self._path, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_metrics(path: Path, rows: Iterable[Row]) -> None:
    """Write a whole ``metrics.csv``, atomically.

    Raises
    ------
    ResultsError
        If it cannot be written.
    """
    with replacing(path) as stream:
        stream.write(_lines([HEADER, *map(_fields, rows)]).encode())


def read_metrics(path: Path) -> list[Row]:
    """Read a ``metrics.csv``, leaving out a last round that a killed run did not finish writing.

    Parameters
    ----------
    path : Path
        The file. If it does not end in a line break, its last line is torn, and the round it belongs to is
        dropped whole: half a round has wrong sums.

    Returns
    -------
    list of Row

    Raises
    ------
    ResultsError
        If the file is missing or is not a ``metrics.csv``.
    """
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise ResultsError(msg) from error
    whole, _, torn = text.rpartition("\n")
    header, *lines = list(csv.reader(io.StringIO(whole, newline=""))) or [[]]
    if tuple(header) != HEADER:
        msg = f"{path} is not a metrics.csv: its first line should be {','.join(HEADER)}"
        raise ResultsError(msg)
    rows = [_row(path, line) for line in lines]
    return _without_torn_round(rows, torn) if torn and rows else rows


def _without_torn_round(rows: list[Row], torn: str) -> list[Row]:
    last = rows[-1].round
    number, comma, _ = torn.partition(",")
    begun = number == str(last) if comma else str(last).startswith(number)  # 1 may be all that is left of 12
    return [row for row in rows if row.round != last] if begun else rows


def _lines(records: Iterable[Iterable[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(records)
    return text.getvalue()


def _fields(row: Row) -> tuple[object, ...]:
    actor = "" if row.actor is None else row.actor
    return row.round, row.phase, actor, row.metric, repr(float(row.value)).removesuffix(".0")


def _row(path: Path, fields: list[str]) -> Row:
    try:
        number, phase, actor, metric, value = fields
        return Row(int(number), phase, int(actor) if actor else None, metric, float(value))
    except ValueError as error:
        msg = f"{path}: {','.join(fields)!r} is not a row of {','.join(HEADER)}"
        raise ResultsError(msg) from error
