"""CSV files that grow with the rounds of a run, and can be read after the run was killed."""

import csv
import io
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from fedlocal.results.atomic_files import ResultsError, replacing
from fedlocal.results.copies import copy_of, sound_text, with_checksums

logger = logging.getLogger(__name__)

T = TypeVar("T")
Record = Sequence[object]
"""The fields of one line; the first is the number of a round."""


class GrowingCsv:
    """Append records to a CSV file and flush them, as long as the disk lets us.

    A results file must not end hours of training: the first write that fails is logged as a warning, and
    nothing more is written, so that what stands in the file is whole up to that point. Each line goes to a
    second copy with checksums, too (`fedlocal.results.copies`).

    Parameters
    ----------
    path, header : Path, sequence of str
        The file, which replaces that of an earlier run, and the names of its columns.
    records : iterable of Record
        The first records.
    optional : bool
        Whether the file is created with its first record only, and may be missing if it cannot be created.

    Raises
    ------
    ResultsError
        If the file cannot be created: nothing is lost yet, so this failure is not forgiven.
    """

    def __init__(
        self, path: Path, header: Sequence[str], records: Iterable[Record] = (), *, optional: bool = False
    ) -> None:
        self._path, self._header = path, header
        self._streams: list[io.TextIOWrapper] = []
        self._failed = False
        if not optional:
            self._create(records)
            return
        for old in (path, copy_of(path)):
            old.unlink(missing_ok=True)
        self.append(records)

    @property
    def is_whole(self) -> bool:
        """Whether the file is there, and holds all that was appended."""
        return not self._failed and self._path.exists()

    def append(self, records: Iterable[Record]) -> None:
        """Write records and flush them; on failure warn once and write no more."""
        records = list(records)
        if self._failed or not records:
            return
        try:
            if self._streams:
                self._write(_lines(records))
            else:
                self._create(records)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed under us
            self._failed = True
            for stream in self._streams:
                with suppress(OSError):
                    stream.close()
            logger.warning("%s: no more rows are written (%s); the run goes on", self._path, error)

    def close(self) -> None:
        """Force the file to the disk and close it; closing twice is allowed."""
        streams, self._streams = self._streams, []
        for stream in streams if not self._failed else ():
            try:
                os.fsync(stream.fileno())
                stream.close()
            except OSError as error:
                self._failed = True
                logger.warning("%s: its last rows may be missing (%s)", self._path, error)

    def _create(self, records: Iterable[Record]) -> None:
        try:
            write_csv(self._path, self._header, records)
            paths = (copy_of(self._path), self._path)
            self._streams = [path.open("a", newline="", encoding="utf-8") for path in paths]
        except (OSError, ResultsError) as error:
            raise ResultsError(f"{error}; choose a folder that can be written") from error

    def _write(self, text: str) -> None:
        for stream, lines in zip(self._streams, (with_checksums(text), text), strict=True):
            stream.write(lines)
            stream.flush()


def write_csv(path: Path, header: Sequence[str], records: Iterable[Record]) -> None:
    """Write a whole CSV file and its second copy, each atomically, or raise ResultsError."""
    text = _lines([header, *records])
    with suppress(OSError):  # it is of what is replaced now
        copy_of(path).unlink()
    for file, lines in ((path, text), (copy_of(path), with_checksums(text))):
        with replacing(file) as stream:
            stream.write(lines.encode())


def read_csv(path: Path, header: Sequence[str], parse: Callable[[list[str]], T]) -> list[T]:
    """Read the records of a CSV file, without a last round that a killed run did not finish writing.

    If the file does not end in a line break, its last line is torn, and the round it belongs to is dropped
    whole: half a round has wrong sums.

    Parameters
    ----------
    path, header : Path, sequence of str
        The file, and the names its columns must have.
    parse : callable
        Makes of the fields of a line what is returned of it, or raises ValueError.

    Raises
    ------
    ResultsError
        If the file is missing, has another header, or a line that is no record, and there is no sound second
        copy of it.
    """
    text, damage = sound_text(path)
    if damage:
        logger.warning("%s is damaged (%s): its second copy is read", path, damage)
    whole, _, torn = text.rpartition("\n")
    try:
        columns, *records = list(csv.reader(io.StringIO(whole, newline=""))) or [[]]
    except csv.Error as error:  # a field that has no end
        raise ResultsError(f"{path} is damaged: {error}") from error
    if columns != list(header):
        msg = f"{path} is not a {path.name}: its first line should be {','.join(header)}"
        raise ResultsError(msg)
    try:
        return [
            parse(fields) for fields in (_without_torn_round(records, torn) if torn and records else records)
        ]
    except ValueError as error:
        raise ResultsError(f"{path}: {error}: each line should be {','.join(header)}") from error


def _without_torn_round(records: list[list[str]], torn: str) -> list[list[str]]:
    last = records[-1][:1]
    round_number, comma, _ = torn.partition(",")
    # Without its comma the number may be torn, too: 1 may be all that is left of 12.
    is_torn = [round_number] == last if comma else "".join(last).startswith(round_number)
    return [record for record in records if record[:1] != last] if is_torn else records


def _lines(records: Iterable[Record]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(records)
    return text.getvalue()


def number(value: float) -> str:
    """Write a number such that it reads back as the same, a whole number without a point.

    Examples
    --------
    >>> number(2.0), number(0.1), number(float("nan"))
    ('2', '0.1', 'nan')
    """
    return repr(float(value)).removesuffix(".0")
