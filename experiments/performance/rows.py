"""The table of the study: rows as sections measure them, in ``results.csv`` and ``results.md``."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from fedlocal.results.atomic_files import replacing

HEADING = "| section | setting | measure | median | quartiles | target | met | note |"
MET = {None: "", True: "yes", False: "no"}


@dataclass(frozen=True)
class Row:
    """One number of the study.

    Parameters
    ----------
    section : str
        The section that measured it; ``--only`` takes this name.
    setting : str
        What was measured: clients, bytes of the model, batch size.
    measure : str
        What the number is.
    value, low, high : float
        Median and quartiles over the turns; NaN where nothing was measured.
    unit : str
        Of the three; ``x`` for a ratio.
    target : str
        The bound that issue or README ask for; empty where there is none.
    met : bool, optional
        Whether the median keeps it.
    note : str
        What a reader of the number has to know.
    """

    section: str
    setting: str
    measure: str
    value: float
    low: float
    high: float
    unit: str
    target: str = ""
    met: bool | None = None
    note: str = ""


def row_of(
    section: str,
    setting: str,
    measure: str,
    turns: Sequence[float],
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    note: str = "",
) -> Row:
    """Sum up turns: median, quartiles, and whether the median keeps a bound.

    Raises
    ------
    ValueError
        If there are no turns, or two bounds.
    """
    if not turns or (at_most is not None and at_least is not None):
        raise ValueError(
            f"{section}, {setting}: expected turns and at most one bound, got {len(turns)} turns"
        )
    median, low, high = (float(value) for value in np.percentile(turns, [50, 25, 75]))
    target, met = "", None
    if at_most is not None:
        target, met = f"≤ {at_most:g}", median <= at_most
    elif at_least is not None:
        target, met = f"≥ {at_least:g}", median >= at_least
    return Row(section, setting, measure, median, low, high, unit, target, met, note)


def missing(section: str, setting: str, reason: str) -> Row:
    """Return the row of what could not be measured."""
    return Row(section, setting, "", math.nan, math.nan, math.nan, "", note=f"not measured: {reason}")


class Table:
    """All rows; those of sections that are not measured again stay as they were.

    Parameters
    ----------
    folder : Path
        Where ``results.csv`` is read, if there is one, and written.
    sections : sequence of str
        The order of the sections in both files; others follow.
    """

    def __init__(self, folder: Path, sections: Sequence[str] = ()) -> None:
        self._folder, self._order = folder, list(sections)
        self._rows: dict[str, list[Row]] = {}
        self._anew: set[str] = set()
        for row in read(folder / "results.csv"):
            self._rows.setdefault(row.section, []).append(row)

    @property
    def rows(self) -> list[Row]:
        """All rows in the order of the files."""
        position = {name: index for index, name in enumerate(self._order)}
        names = sorted(self._rows, key=lambda name: position.get(name, len(position)))
        return [row for name in names for row in self._rows[name]]

    def add(self, row: Row) -> None:
        """Add a row and write both files; a section's first row takes the place of its earlier ones."""
        if row.section not in self._anew:
            self._anew.add(row.section)
            self._rows[row.section] = []
        self._rows[row.section].append(row)
        for name, text in (("results.csv", as_csv(self.rows)), ("results.md", as_markdown(self.rows))):
            with replacing(self._folder / name) as stream:
                stream.write(text.encode())


def read(path: Path) -> list[Row]:
    """Read the rows of a ``results.csv``; none where there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [_parsed(line) for line in csv.DictReader(file)]


def _parsed(line: dict[str, str]) -> Row:
    numbers = {name: float(line[name]) for name in ("value", "low", "high")}
    met = next(met for met, word in MET.items() if word == line["met"])
    values: dict[str, Any] = {**line, **numbers, "met": met}
    return Row(**values)


def as_csv(rows: Iterable[Row]) -> str:
    """Return the rows as a CSV file with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**asdict(row), "met": MET[row.met]} for row in rows)
    return text.getvalue()


def as_markdown(rows: Iterable[Row]) -> str:
    """Return the rows as one Markdown table."""
    lines = [HEADING, "|---|---|---|---:|---:|---|---|---|", *map(as_line, rows)]
    return "\n".join(lines) + "\n"


def as_line(row: Row) -> str:
    """Return one row as a line of the Markdown table."""
    value, spread = "", ""
    if math.isfinite(row.value):
        value = f"{_short(row.value)} {row.unit}".strip()
        spread = f"{_short(row.low)} to {_short(row.high)}"
    cells = (row.section, row.setting, row.measure, value, spread, row.target, MET[row.met], row.note)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _short(value: float) -> str:
    """Return three digits, all of them before the point if there are more."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
