"""How a run shows itself: as text at a prompt, as HTML in a notebook."""

from collections.abc import Mapping, Sequence
from html import escape
from io import StringIO
from pathlib import Path

from fedlocal.display.table import comparison_columns, comparison_table
from fedlocal.display.verdict import meaning, verdict
from fedlocal.figures.curves import curves_svg
from fedlocal.results.arm import Arm
from fedlocal.results.history import History

WIDTH = 80
HASH = 16  # digits of it
MOST_CURVES = 7  # that can be told apart


def run_text(
    arms: Sequence[Arm], histories: Mapping[str, History], hashes: Mapping[str, str], folder: Path | None
) -> str:
    """Return the table of the arms, the hash of the first one's weights, and where the results are."""
    from rich.console import Console

    with StringIO() as stream:
        console = Console(file=stream, width=WIDTH, color_system=None, force_jupyter=False)
        console.print(comparison_table(arms, main=next(iter(histories.values()), None)))
        lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    return "\n".join([*lines, *_weights(histories, hashes), _results(folder)])


def run_html(
    arms: Sequence[Arm], histories: Mapping[str, History], hashes: Mapping[str, str], folder: Path | None
) -> str:
    """Return the same as HTML, with the learning curves."""
    columns = comparison_columns(arms)
    head = _cells("col", "scheme", [" ".join(name.split()) for name, _ in columns])
    rows = [_cells("row", arm.name, [cells[index] for _, cells in columns]) for index, arm in enumerate(arms)]
    curves = curves_svg(dict(list(histories.items())[:MOST_CURVES]), "on the test set")
    lines = [*meaning(arms), *verdict(arms), *_weights(histories, hashes), _results(folder)]
    return (
        f"<div><table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>{curves}"
        f"<p><small>{'<br>'.join(map(escape, lines))}</small></p></div>"
    )


def _cells(scope: str, name: str, values: Sequence[str]) -> str:
    """Return a row of a table: a heading, then numbers or their headings."""
    tag = "th" if scope == "col" else "td"
    cells = "".join(f'<{tag} style="text-align: right">{escape(value)}</{tag}>' for value in values)
    return f'<tr><th scope="{scope}" style="text-align: left">{escape(name)}</th>{cells}</tr>'


def _weights(histories: Mapping[str, History], hashes: Mapping[str, str]) -> list[str]:
    """Return the hash of the first arm's weights, with the number of errors on its way."""
    main = next(iter(hashes), None)
    if main is None:
        return []
    errors = histories[main].error_count if main in histories else 0
    return [f"weights {hashes[main][:HASH]}{f' ({errors} messages ended in an error)' if errors else ''}"]


def _results(folder: Path | None) -> str:
    return f"results {folder or 'in memory alone'}"
