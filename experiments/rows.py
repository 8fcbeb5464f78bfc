"""Rows that sections measure, as median and quartiles over turns: ``results.csv`` and ``results.md``."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

from experiments.records import read, write
from experiments.runner import Options, Task
from fedlocal.results import environment, write_json

HEADING = "| section | setting | measure | median | quartiles | target | met | note |"


@dataclass(frozen=True)
class Row:
    """A number that was measured.

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
        The bound that is asked for; empty where there is none.
    met : str
        Whether the median keeps it: ``yes`` or ``no``, empty where there is none.
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
    met: str = ""
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
    target, kept = "", False
    if at_most is not None:
        target, kept = f"≤ {at_most:g}", median <= at_most
    elif at_least is not None:
        target, kept = f"≥ {at_least:g}", median >= at_least
    met = "" if not target else "yes" if kept else "no"
    return Row(section, setting, measure, median, low, high, unit, target, met, note)


def missing(section: str, setting: str, reason: str) -> Row:
    """Return the row of what could not be measured."""
    return Row(section, setting, "", math.nan, math.nan, math.nan, "", note=f"not measured: {reason}")


class NotMeasuredError(RuntimeError):
    """A section cannot be measured here; the message is the reason."""


@dataclass(frozen=True)
class Section:
    """A part of a benchmark: it is measured anew whenever it is asked for; other sections' rows stay.

    Parameters
    ----------
    name : str
        Of the section.
    module : str
        Its function ``measure(options)`` yields rows as they are measured.
    """

    name: str
    module: str

    def tasks(self, options: Options) -> list[Task]:
        """Return the measurement."""
        return [Task(self.name, "measured", partial(self._measure, options))]

    def records(self, folder: Path) -> list[Row]:
        """Return its rows."""
        return [row for row in read(folder / "results.csv", Row) if row.section == self.name]

    def _measure(self, options: Options) -> None:
        """Write each row as it is measured; if something fails, the table says so."""
        write_json(options.folder / "environment.json", environment())
        rows = list[Row]()
        try:
            for row in import_module(self.module).measure(options):
                rows.append(row)
                put(options.folder / "results.csv", self.name, rows)
                print(as_line(row), flush=True)
        except Exception as error:
            why = "" if isinstance(error, NotMeasuredError) else f"{type(error).__name__}: "
            rows.append(missing(self.name, "", f"{why}{error}".splitlines()[0]))
            put(options.folder / "results.csv", self.name, rows)
            if why:
                raise


def put(path: Path, section: str, rows: Sequence[Row]) -> None:
    """Write a section's rows in place of its earlier ones, or behind those of others."""
    by_section: dict[str, list[Row]] = {}
    for row in read(path, Row):
        by_section.setdefault(row.section, []).append(row)
    by_section[section] = list(rows)
    write(path, [row for of_section in by_section.values() for row in of_section])


def as_markdown(rows: Iterable[Row]) -> str:
    """Return the rows as one Markdown table."""
    return "\n".join([HEADING, "|---|---|---|---:|---:|---|---|---|", *map(as_line, rows)]) + "\n"


def as_line(row: Row) -> str:
    """Return a row as a line of the Markdown table."""
    value = f"{_short(row.value)} {row.unit}".strip() if math.isfinite(row.value) else ""
    spread = f"{_short(row.low)} to {_short(row.high)}" if math.isfinite(row.low) else ""
    cells = (row.section, row.setting, row.measure, value, spread, row.target, row.met, row.note)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _short(value: float) -> str:
    """Return three digits, all of them before the point if there are more."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
