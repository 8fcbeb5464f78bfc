"""Records in CSV files, a line each: dataclasses whose fields are words and numbers."""

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from fedlocal.results import replacing

Record = TypeVar("Record")


def write(path: Path, records: Sequence[Any], without: Collection[str] = ()) -> None:
    """Write records, at least one, without some fields; the file is whole whatever happens."""
    columns = [field.name for field in fields(records[0]) if field.name not in without]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([getattr(record, column) for column in columns] for record in records)
    with replacing(path) as stream:
        stream.write(text.getvalue().encode())


def read(path: Path, kind: type[Record]) -> list[Record]:
    """Read records of a dataclass; none where there is no such file."""
    if not path.exists():
        return []
    parse: dict[str, Any] = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    with path.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    return [kind(**{name: parse[name](text) for name, text in line.items()}) for line in lines]
