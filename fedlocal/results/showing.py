"""How a history and a run show themselves: as text at a prompt, as HTML in a notebook."""

from collections.abc import Mapping, Sequence
from html import escape
from io import StringIO
from pathlib import Path

from fedlocal.results.figures.curves import reported
from fedlocal.results.figures.inline import curves_svg
from fedlocal.results.history import History
from fedlocal.results.table import Arm, comparison_columns, comparison_table
from fedlocal.results.text import duration, fixed
from fedlocal.results.verdict import meaning, verdict

WIDTH = 80
MOST_METRICS = 4  # in a line
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


def history_text(history: History) -> str:
    """Return a line: which rounds, how accuracy and loss went, and how long training took.

    Examples
    --------
    >>> from fedlocal.results import Round
    >>> accuracies = {0: 0.1, 1: 0.95, 2: 0.9}
    >>> history_text(History(rounds=[Round(n, metrics={"accuracy": a}) for n, a in accuracies.items()]))
    'History: rounds 0 to 2, accuracy 0.1000 to 0.9000 (best 0.9500), training time 0 ms'
    """
    if not history.rounds:
        return "History: no rounds"
    first, last = history.rounds[0].number, history.rounds[-1].number
    parts = [f"rounds {first} to {last}" if last > first else f"round {first}"]
    for metric in reported({"history": history})[:MOST_METRICS]:
        values = history.series(metric)[1]
        went = " to ".join(map(fixed, dict.fromkeys((values[0], values[-1]))))
        parts.append(f"{metric} {went} (best {fixed(history.best(metric))})")
    if errors := _errors(history):
        parts.append(f"{errors} messages ended in an error")
    return f"History: {', '.join([*parts, f'training time {duration(history.seconds)}'])}"


def history_html(history: History) -> str:
    """Return the same line and the learning curves."""
    return f"<div><p>{escape(history_text(history))}</p>{curves_svg({'history': history})}</div>"


def _weights(histories: Mapping[str, History], hashes: Mapping[str, str]) -> list[str]:
    """Return the hash of the first arm's weights, with what taints it."""
    main = next(iter(hashes), None)
    if main is None:
        return []
    errors = _errors(histories[main]) if main in histories else 0
    return [f"weights {hashes[main][:HASH]}{f' ({errors} messages ended in an error)' if errors else ''}"]


def _results(folder: Path | None) -> str:
    return f"results {folder or 'in memory alone'}"


def _errors(history: History) -> int:
    return sum(len(one.errors) for one in history.rounds)
