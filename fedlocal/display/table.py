"""The table at the end of a run: the schemes beside one another."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fedlocal.display.verdict import meaning, verdict
from fedlocal.results.arm import Arm
from fedlocal.results.formatting import duration, fixed, ratio, share
from fedlocal.results.history import History
from fedlocal.results.rounds import TIMED

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


def comparison_table(arms: Sequence[Arm], title: str | None = None, main: History | None = None) -> "Group":
    """Lay out the arms as a table of at most 80 columns, and below it what it says in words.

    Parameters
    ----------
    arms : sequence of Arm
        The scheme that the run is about first, then what it is compared with.
    title : str or None
        A line above the table.
    main : History or None
        The first arm's history: the means of its rounds' spans go below the table.

    Returns
    -------
    rich.console.Group
        A column in which no arm has a value is left out.
    """
    from rich.console import Group
    from rich.text import Text

    columns = comparison_columns(arms)
    table = plain_table(title, ["scheme"], [name for name, _ in columns])
    for index, arm in enumerate(arms):
        style = "bold" if index == 0 and len(arms) > 1 else None
        table.add_row(Text(arm.name), *(cells[index] for _, cells in columns), style=style)
    lines = [*_round(main), *_workers(arms), *meaning(arms)]
    return Group(table, *(Text(line, style="dim") for line in lines), *map(Text, verdict(arms)))


def comparison_columns(arms: Sequence[Arm]) -> list[tuple[str, list[str]]]:
    """Return the columns in which an arm has a value, each with its cells as text."""
    columns = [
        ("accuracy", [fixed(arm.accuracy) for arm in arms]),
        ("loss", [fixed(arm.loss) for arm in arms]),
        ("rmse", [fixed(arm.rmse) for arm in arms]),
        ("training\ntime", [duration(arm.seconds) if arm.ended is None else "-" for arm in arms]),
        ("speed-up\nover it", [marked_ratio(arm.speed_up, arm) for arm in arms]),
        ("end to\nend", [marked_ratio(arm.end_to_end, arm) for arm in arms]),
        ("idle", [share(arm.idle_share) for arm in arms]),
    ]
    return [(name, cells) for name, cells in columns if any(cell != "-" for cell in cells)]


def _round(history: History | None) -> list[str]:
    """Say what a round took on average, where more than training was recorded."""
    if history is None or not history.total("dispatch"):
        return []
    rounds = max(1, sum(1 for round_ in history.rounds if round_.timed))
    means = {span: 1000 * history.total(span) / rounds for span in TIMED}
    spans = [f"{span} {mean:.{0 if mean >= 10 else 1}f}" for span, mean in means.items()]
    return [f"a round: {', '.join(spans)} ms"]


def _workers(arms: Sequence[Arm]) -> list[str]:
    """Say what the first arm's workers did with their time, and how much of it the rounds waited for."""
    main = arms[0] if arms else None
    if main is None or main.efficiency is None or main.coordination_share is None:
        return []
    exchange = main.coordination_share
    waiting = max(0.0, 1 - main.efficiency - exchange)
    parts = {"computing": main.efficiency, "coordination": exchange, "waiting for others": waiting}
    lines = ["workers: " + ", ".join(f"{share(part)} {state}" for state, part in parts.items())]
    if main.critical_path is not None:
        lines.append(f"critical path: {duration(main.critical_path)} of {duration(main.seconds)}")
    return lines


def marked_ratio(value: float | None, arm: Arm) -> str:
    """Write a ratio of times, marked if they were not taken in turn, or while other work had the cores."""
    if arm.ended is not None:
        return "ended"
    if value is None:
        return "-"
    if arm.is_busy:
        return "busy"
    return f"{'~' if arm.reused is not None else ''}{'?' if arm.is_doubtful else ''}{ratio(value)}"


def plain_table(title: str | None, words: Sequence[str], numbers: Sequence[str]) -> "Table":
    """Return a table without rows in the common style: one rule under the header, nothing else.

    Parameters
    ----------
    title : str or None
        A line above the table.
    words, numbers : sequence of str
        The headers of columns of text, which is folded, and then of numbers.
    """
    from rich.box import Box
    from rich.table import Table
    from rich.text import Text

    rule = "    \n    \n -- \n" + 5 * "    \n"  # ASCII, so that it is the same wherever it goes
    table = Table(
        title=title,
        box=Box(rule, ascii=True),
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        caption_style="dim",
    )
    for name in words:
        table.add_column(Text(name), overflow="fold", min_width=min(len(name), 4))
    for name in numbers:
        table.add_column(Text(name), justify="right", no_wrap=True)
    return table
