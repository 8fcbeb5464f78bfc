"""The table at the end of a run: the schemes beside one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedlocal.results.rounds import TIMED
from fedlocal.results.text import duration, fixed, ratio, share

if TYPE_CHECKING:
    from rich.table import Table

    from fedlocal.results.history import History


@dataclass(frozen=True)
class Arm:
    """One scheme's result. In a comparison the first arm is the one that the run is about.

    Parameters
    ----------
    name : str
        Such as ``federated`` or ``sequential, 1 thread``.
    accuracy, loss : float or None
        Of the final model on the test set.
    seconds : float
        Training time: dispatch, training, collection and aggregation of all rounds.
    speed_up : float or None
        How many times faster the first arm trained than this one: this arm's `seconds` over those of the
        first. None for the first arm itself, and where the times were not taken together.
    end_to_end : float or None
        The same ratio of the whole times, with start-up and evaluation.
    idle_share : float or None
        The part of the workers' time within rounds in which they had nothing to do.
    efficiency, communication_share : float or None
        The parts of it in which they computed, and in which none of them did: see
        `fedlocal.results.occupancy`. What is left of 1 they waited for one another.
    critical_path : float or None
        Seconds of the rounds' critical paths, which `seconds` can be compared with.
    reused : str or None
        The run in which this arm was trained, if it was not in turn with the first one: its times are of
        another moment.
    """

    name: str
    accuracy: float | None
    loss: float | None
    seconds: float
    speed_up: float | None = None
    end_to_end: float | None = None
    idle_share: float | None = None
    efficiency: float | None = None
    communication_share: float | None = None
    critical_path: float | None = None
    reused: str | None = None


def comparison_table(arms: Sequence[Arm], title: str | None = None, main: "History | None" = None) -> "Table":
    """Lay out the arms as a table of at most 80 columns.

    Parameters
    ----------
    arms : sequence of Arm
        The scheme that the run is about first, then what it is compared with.
    title : str or None
        A line above the table.
    main : History or None
        Of the first arm: what its rounds spent their time on goes below the table.

    Returns
    -------
    rich.table.Table
        A column in which no arm has a value is left out.
    """
    from rich.text import Text

    columns = comparison_columns(arms)
    table = plain_table(title)
    table.add_column("scheme", overflow="fold")
    for name, _ in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for index, arm in enumerate(arms):
        style = "bold" if index == 0 and len(arms) > 1 else None
        table.add_row(Text(arm.name), *(cells[index] for _, cells in columns), style=style)
    table.caption = "\n".join([*_round(main), *_workers(arms), *meaning(arms)]) or None
    return table


def comparison_columns(arms: Sequence[Arm]) -> list[tuple[str, list[str]]]:
    """Return the columns in which an arm has a value, each with its cells as text."""
    columns = [
        ("accuracy", [fixed(arm.accuracy) for arm in arms]),
        ("loss", [fixed(arm.loss) for arm in arms]),
        ("training\ntime", [duration(arm.seconds) for arm in arms]),
        ("speed-up", [about(arm.speed_up, arm) for arm in arms]),
        ("end to\nend", [about(arm.end_to_end, arm) for arm in arms]),
        ("idle", [share(arm.idle_share) for arm in arms]),
    ]
    return [(name, cells) for name, cells in columns if any(cell != "-" for cell in cells)]


def _round(history: "History | None") -> list[str]:
    """Say what a round took on average, where more than training was recorded."""
    if history is None or not history.total("dispatch"):
        return []
    rounds = max(1, sum(1 for one in history.rounds if one.timed))
    means = {span: 1000 * history.total(span) / rounds for span in TIMED}
    spans = [f"{span} {mean:.{0 if mean >= 10 else 1}f}" for span, mean in means.items()]
    return [f"a round: {', '.join(spans)} ms"]


def _workers(arms: Sequence[Arm]) -> list[str]:
    """Say what the first arm's workers did with their time, and how much of it the rounds waited for."""
    main = arms[0] if arms else None
    if main is None or main.efficiency is None or main.communication_share is None:
        return []
    exchange = main.communication_share
    others = max(0.0, 1 - main.efficiency - exchange)
    parts = {"computing": main.efficiency, "communication": exchange, "waiting for others": others}
    lines = ["workers: " + ", ".join(f"{share(part)} {state}" for state, part in parts.items())]
    if main.critical_path is not None:
        lines.append(f"critical path: {duration(main.critical_path)} of {duration(main.seconds)}")
    return lines


def meaning(arms: Sequence[Arm]) -> list[str]:
    """Return what the ratios in the table are of, a line each."""
    lines = []
    if any(arm.speed_up is not None for arm in arms):
        lines.append("speed-up: training time of a row / training time of the first row")
    if any(arm.end_to_end is not None for arm in arms):
        lines.append("end to end: the same ratio of whole times, with start-up and evaluation")
    if runs := {arm.reused for arm in arms if arm.reused is not None}:
        lines.append(
            f"~ trained in run {', '.join(sorted(runs))}, not in turn (sweep.baseline=each: in turn)"
        )
    return lines


def about(value: float | None, arm: Arm) -> str:
    """Write a ratio of times; one of times that were not taken in turn is marked."""
    return f"~{ratio(value)}" if value is not None and arm.reused is not None else ratio(value)


def plain_table(title: str | None) -> "Table":
    """Return an empty table in the style of all tables here: one rule under the header, nothing else."""
    from rich.box import Box
    from rich.table import Table

    rule = "    \n    \n -- \n" + 5 * "    \n"  # ASCII, so that it is the same wherever it goes
    return Table(
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
