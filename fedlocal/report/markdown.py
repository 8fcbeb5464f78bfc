"""The comparison table in Markdown, for a paper or an issue."""

import re

from fedlocal.report.tables import Cell, Column, Table
from fedlocal.results.formatting import harmless


def markdown(table: Table) -> str:
    """Return the table as Markdown, with its notes below it."""
    shown = [place for place, column in enumerate(table.columns) if column.kind != "setting"]
    head = [_escaped(harmless(table.columns[place].name)) for place in shown]
    rule = ["---:" if table.columns[place].kind == "number" else "---" for place in shown]
    body = [[_cell(line.cells[place], table.columns[place]) for place in shown] for line in table.lines]
    rows = "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))
    notes = "\n".join(f"- {_escaped(note)}" for note in table.notes)
    return f"{rows}\n\n{notes}\n" if notes else f"{rows}\n"


def _cell(cell: Cell, column: Column) -> str:
    if not cell.note:  # what is pasted into a spreadsheet is no formula there
        return _escaped(cell.text if column.kind == "number" else harmless(cell.text))
    return _escaped(f"{cell.text} {cell.note}" if cell.note.startswith("±") else f"{cell.text} ({cell.note})")


def _escaped(text: str) -> str:
    """Return text as it stands: neither Markdown nor HTML, on one line."""
    marked = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", " ".join(text.split()))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
