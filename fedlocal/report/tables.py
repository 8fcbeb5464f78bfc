"""A table before it is written: what it holds, in any form."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["ascending", "descending"]


@dataclass(frozen=True)
class Column:
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
    """What stands in a table.

    Parameters
    ----------
    text : str
        In full.
    note : str
        Its interval, in smaller type.
    value : float or None
        What it is sorted by; without one it is sorted as text.
    """

    text: str
    note: str = ""
    value: float | None = None


@dataclass(frozen=True)
class Line:
    """A line, with a cell for each column; the baselines' are marked."""

    cells: tuple[Cell, ...]
    baseline: bool = False


@dataclass(frozen=True)
class Table:
    """A table, and what is to be known to read it.

    Parameters
    ----------
    columns, lines : tuple
        A line has a cell for each column.
    notes : tuple of str
        Sentences.
    sorted : {"ascending", "descending"}
        How the first column of numbers is ordered.
    """

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    sorted: Direction
