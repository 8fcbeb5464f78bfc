"""The comparison table in Markdown, for a paper or an issue."""

import re

from fedlocal.report.tables import Cell, ReportTable, TableColumn
from fedlocal.results.formatting import harmless


def markdown(table: ReportTable) -> str:
    """Return the table as Markdown, with its notes below it."""
    shown = [index for index, column in enumerate(table.columns) if column.kind != "setting"]
    head = [_escaped(harmless(table.columns[index].name)) for index in shown]
    rule = ["---:" if table.columns[index].kind == "number" else "---" for index in shown]
    body = [[_cell(row.cells[index], table.columns[index]) for index in shown] for row in table.rows]
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))
    notes = "\n".join(f"- {_escaped(note)}" for note in table.notes)
    return f"{lines}\n\n{notes}\n" if notes else f"{lines}\n"


def _cell(cell: Cell, column: TableColumn) -> str:
    if not cell.note:  # what is pasted into a spreadsheet is no formula there
        return _escaped(cell.text if column.kind == "number" else harmless(cell.text))
    return _escaped(f"{cell.text} {cell.note}" if cell.note.startswith("±") else f"{cell.text} ({cell.note})")


def _escaped(text: str) -> str:
    """Return text as it stands: neither Markdown nor HTML, on one line."""
    marked = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", " ".join(text.split()))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
