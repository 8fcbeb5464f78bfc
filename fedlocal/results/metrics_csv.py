"""The file ``metrics.csv``: its header, and its rows as lines and back."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.csv_file import Record, number, read_csv
from fedlocal.results.formatting import harmless
from fedlocal.results.rounds import HEADER, MetricRow


def metric_records(rows: Iterable[MetricRow]) -> Iterator[Record]:
    """Yield rows as the records of a ``metrics.csv``."""
    for row in rows:
        yield (
            row.round,
            row.phase,
            "" if row.actor is None else row.actor,
            harmless(row.metric),
            number(row.value),
        )


def read_metrics(path: Path) -> list[MetricRow]:
    """Read a ``metrics.csv``, leaving out a last round that a killed run did not finish writing.

    Raises
    ------
    ResultsError
        If the file is missing or is not a ``metrics.csv``.
    """
    return [_row(path, fields) for fields in read_csv(path, HEADER)]


def _row(path: Path, fields: Sequence[str]) -> MetricRow:
    try:
        round_number, phase, actor, metric, value = fields
        bare = metric.removeprefix("'")  # as `harmless` put it there
        name = bare if harmless(bare) == metric else metric
        return MetricRow(int(round_number), phase, int(actor) if actor else None, name, float(value))
    except ValueError as error:
        msg = f"{path}: {','.join(fields)!r} is not a row of {','.join(HEADER)}"
        raise ResultsError(msg) from error
