"""A person's own table, as text with commas."""

import re
from collections import Counter
from collections.abc import Sequence
from csv import Error as CsvError
from csv import reader as csv_reader
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import Dataset
from fedlocal.data.errors import DataError
from fedlocal.data.features import MISSING, is_number
from fedlocal.data.sources.assemble import Preparation, TargetScale, Task, assemble
from fedlocal.data.sources.feature_scaling import Scale
from fedlocal.data.sources.holdout import HoldOut
from fedlocal.data.sources.imputation import Impute
from fedlocal.data.sources.table import Encoding, Table, assign_roles

WHOLE = re.compile(r"[+-]?\d{1,18}|" + "|".join(map(re.escape, MISSING)))
"""A whole number, or nothing."""
MOST_CATEGORIES = 1000  # of a column of text: more are names or notes
MANY_CATEGORIES = 20  # more, in more than half of the rows, are names or dates, or numbers in another form


def csv(
    *,
    rng: np.random.Generator,
    path: str,
    target: str | int,
    features: list[str] | None = None,
    group: str | int | None = None,
    header: bool | Literal["auto"] = "auto",
    task: Task = "auto",
    encoding: Encoding = "onehot",
    missing: Literal["error", "drop"] = "error",
    impute: Impute | None = None,
    scale: Scale = "standard",
    target_scale: TargetScale = "standard",
    test_fraction: float = 0.2,
    hold_out: HoldOut = "rows",
) -> Dataset:
    """Load a table from a file of text with commas.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the test rows.
    path : str
        The file, UTF-8. A column all of whose values are numbers holds numbers, any other holds text.
        Nothing, ``?``, ``NA``, ``N/A``, ``NaN``, ``nan`` and ``null`` are missing values.
    target : str or int
        Column to predict.
    features : list of str or None
        Columns to learn from; None: all but `target` and `group`.
    group : str or int or None
        Column of natural ids, for ``partition=group``; it is no feature.
    header : bool or "auto"
        Whether the first line names the columns; if not, they are called 0, 1, 2, …. "auto": it does, and a
        line with numbers in it, which may be a row, is an error.
    task : {"auto", "classification", "regression"}
        "auto": a target of text or of whole numbers is a class, other numbers are real-valued.
    encoding : {"onehot", "ordinal"}
        How a column of text becomes numbers: one feature for each text, or its position among them.
    missing : {"error", "drop"}
        What happens to rows in which a value is missing.
    impute : {"mean", "median"} or None
        What is filled in for missing numbers, by the training rows; for missing text, the most frequent.
    scale : {"unit", "standard", "none"}
        "standard": each column to mean 0 and deviation 1; "unit": to [0, 1]; by the training rows.
    target_scale : {"standard", "none"}
        The same for real-valued targets.
    test_fraction : float
        Part of the rows that is held out, stratified by class.
    hold_out : {"rows", "groups"}
        Whether rows are held out, or whole groups.

    Raises
    ------
    DataError
        If the file is missing or no table, a column is not there, or values are missing; the message says
        where.
    """
    file, goal = Path(path).expanduser(), str(target)
    names, rows = _split_header(file, _lines(file), header)
    ids = None if group is None else str(group)
    chosen = [str(name) for name in features] if features else [n for n in names if n not in (goal, ids)]
    table = _table(file, names, rows, [*chosen, goal, *([ids] if ids is not None else [])])
    for name in [*chosen, goal]:
        if (texts := len(table.categories.get(name, ()))) > min(
            MOST_CATEGORIES, max(MANY_CATEGORIES, len(rows) // 2)
        ):
            raise DataError(
                f"{file}: column {name!r} holds {texts} different texts in {len(rows)} rows, such as "
                f"{table.categories[name][0]!r}: these are no categories; write numbers, or leave the column "
                "out, dataset.features=[…]"
            )
    raw = assign_roles(table, chosen, [goal], ids, encoding=encoding, missing=missing, impute=impute)
    whole = all(WHOLE.fullmatch(row[names.index(goal)]) for row in rows)
    if task == "auto" and whole:
        raw = replace(raw, y=raw.y.astype(np.int64))
    how = Preparation(task, scale, target_scale, test_fraction, hold_out, impute, white=0)
    return assemble(file.stem, raw, None, rng, how)


def _lines(file: Path) -> list[list[str]]:
    """Return the cells of a file, all lines of one length."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv_reader(stream)
            numbered = [(reader.line_num, [cell.strip() for cell in line]) for line in reader if line]
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, CsvError) as error:
        raise DataError(f"{file}: is not a table of text with commas: {error}") from error
    if not numbered:
        raise DataError(f"{file}: is empty")
    width = len(numbered[0][1])
    for separator in ";\t":
        if width == 1 and separator in numbered[0][1][0]:
            raise DataError(f"{file}: its columns are separated by {separator!r}, expected commas")
    for number, line in numbered:
        if len(line) != width:
            raise DataError(f"{file}, line {number}: {len(line)} columns, the first line has {width}")
    return [line for _, line in numbered]


def _split_header(
    file: Path, lines: list[list[str]], header: bool | Literal["auto"]
) -> tuple[list[str], list[list[str]]]:
    """Return the columns' names, and the rows."""
    first = lines[0]
    if header is False:
        return [str(at) for at in range(len(first))], lines
    if header == "auto" and any(map(is_number, first)):
        some = ", ".join(first[:8])
        raise DataError(
            f"{file}: its first line, {some}, may be names or a row: say dataset.header=true or false"
        )
    if twice := [name for name, times in Counter(first).items() if times > 1 and name]:
        raise DataError(f"{file}: its header has twice {', '.join(twice)}")
    if len(lines) == 1:
        raise DataError(f"{file}: has no rows")
    return first, lines[1:]


def _table(file: Path, names: list[str], rows: list[list[str]], used: Sequence[str]) -> Table:
    """Return the columns that are used."""
    cells, categories = np.empty((len(rows), len(used))), {}
    for at, name in enumerate(used):
        if name not in names:
            raise DataError(
                f"{file}: no column {name!r}, there are {', '.join(names[:20])}; if its first line is a row, "
                "say dataset.header=false"
            )
        if not name:
            raise DataError(f"{file}: a column has no name; leave it out with dataset.features=[COLUMN,…]")
        if used.count(name) > 1:
            raise DataError(f"{file}: column {name!r} is named twice among features, target and group")
        column = names.index(name)
        cells[:, at], texts = _encode([row[column] for row in rows])
        if texts is not None:
            categories[name] = texts
    return Table(str(file), list(used), cells, categories)


def _encode(column: list[str]) -> tuple[NDArray[np.float64], list[str] | None]:
    """Return a column's numbers, or the codes of its texts, and these; NaN for what is missing."""
    present = [cell for cell in column if cell not in MISSING]
    if all(map(is_number, present)):
        return np.array([np.nan if cell in MISSING else float(cell) for cell in column]), None
    texts = sorted(set(present))
    codes = {text: float(code) for code, text in enumerate(texts)}
    return np.array([codes.get(cell, np.nan) for cell in column]), texts
