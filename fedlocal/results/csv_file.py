"""CSV files that grow with the rounds of a run, and can be read after the run was killed."""

import csv
import io
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from fedlocal.results.atomic_files import ResultsError, replacing
from fedlocal.results.copies import copy_of, sound_text, with_checksums

logger = logging.getLogger(__name__)

Record = Sequence[object]
"""The fields of one line; the first is the number of a round."""


class GrowingCsv:
    """Append records to a CSV file and flush them, as long as the disk lets us.

    A results file must not end hours of training: the first write that fails is logged as a warning, and
    nothing more is written, so that what stands in the file is whole up to that point. Each line goes to a
    second copy with checksums, too (`fedlocal.results.copies`).

    Parameters
    ----------
    path : Path
        The file; created, or replaced, with its header at once.
    header : sequence of str
        The names of the columns.
    records : iterable of Record
        The first records.

    Raises
    ------
    ResultsError
        If the file cannot be created: nothing is lost yet, so this failure is not forgiven.
    """

    def __init__(self, path: Path, header: Sequence[str], records: Iterable[Record] = ()) -> None:
        self._path = path
        self._streams: list[io.TextIOWrapper] = []
        try:
            write_csv(path, header, records)
            self._streams = [file.open("a", newline="", encoding="utf-8") for file in (copy_of(path), path)]
        except (OSError, ResultsError) as error:
            raise ResultsError(f"{error}; choose a folder that can be written") from error

    def append(self, records: Iterable[Record]) -> None:
        """Write records and flush them; on failure warn once and write no more."""
        if not self._streams:
            return
        text = _lines(records)
        try:
            for stream, lines in zip(self._streams, (with_checksums(text), text), strict=True):
                stream.write(lines)
                stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream was closed under us
            streams, self._streams = self._streams, []
            for stream in streams:
                with suppress(OSError):
                    stream.close()
            logger.warning("%s: no more rows are written (%s); the run goes on", self._path, error)

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        streams, self._streams = self._streams, []
        for stream in streams:
            try:
                stream.close()
            except OSError as error:
                logger.warning("%s: its last rows may be missing (%s)", self._path, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_csv(path: Path, header: Sequence[str], records: Iterable[Record]) -> None:
    """Write a whole CSV file and its second copy, each atomically.

    Raises
    ------
    ResultsError
        If it cannot be written.
    """
    text = _lines([header, *records])
    with suppress(OSError):  # it is of what is replaced now
        copy_of(path).unlink()
    for file, lines in ((path, text), (copy_of(path), with_checksums(text))):
        with replacing(file) as stream:
            stream.write(lines.encode())


def read_csv(path: Path, header: Sequence[str]) -> list[list[str]]:
    """Read the records of a CSV file, without a last round that a killed run did not finish writing.

    Parameters
    ----------
    path : Path
        The file. If it does not end in a line break, its last line is torn, and the round it belongs to is
        dropped whole: half a round has wrong sums.
    header : sequence of str
        The names its columns must have.

    Raises
    ------
    ResultsError
        If the file is missing, or has another header, and there is no sound second copy of it.
    """
    text, damage = sound_text(path)
    if damage:
        logger.warning("%s is read from its second copy: %s", path, damage)
    whole, _, torn = text.rpartition("\n")
    try:
        columns, *records = list(csv.reader(io.StringIO(whole, newline=""))) or [[]]
    except csv.Error as error:  # a field that has no end
        raise ResultsError(f"{path} is damaged: {error}") from error
    if columns != list(header):
        msg = f"{path} is not a {path.name}: its first line should be {','.join(header)}"
        raise ResultsError(msg)
    return _without_torn_round(records, torn) if torn and records else records


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
