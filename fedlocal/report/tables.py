"""A table of the report, in a form that is neither HTML nor Markdown."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["ascending", "descending"]


@dataclass(frozen=True)
class TableColumn:
    """A column.

    Parameters
    ----------
    name : str
        Its header.
    kind : {"setting", "key", "number"}
        ``setting`` says in one cell what the columns of kind ``key`` say: which of both are shown depends on
        the room there is.
    """

    name: str
    kind: Literal["setting", "key", "number"] = "number"


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Parameters
    ----------
    text : str
        In full.
    note : str
        Its interval, in smaller type.
    value : float or None
        The cell is sorted by this number, or as text where there is none.
    """

    text: str
    note: str = ""
    value: float | None = None


@dataclass(frozen=True)
class TableRow:
    """A row, with a cell for each column; the baselines' are marked."""

    cells: tuple[Cell, ...]
    baseline: bool = False


@dataclass(frozen=True)
class ReportTable:
    """A table, and what a reader must know of it.

    Parameters
    ----------
    columns, rows : tuple
        A row has a cell for each column.
    notes : tuple of str
        Sentences.
    sorted : {"ascending", "descending"}
        How the first column of numbers is ordered.
    """

    columns: tuple[TableColumn, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...]
    sorted: Direction
