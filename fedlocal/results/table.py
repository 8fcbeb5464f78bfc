"""The table at the end of a run: the schemes beside one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fedlocal.results.occupancy import usage
from fedlocal.results.rounds import TIMED
from fedlocal.results.text import duration, fixed, ratio, share
from fedlocal.results.verdict import MARKED, WITHHELD, meaning, verdict

if TYPE_CHECKING:
    from rich.console import Group
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
    rmse : float or None
        Of real-valued targets there, in their own units.
    seconds : float
        Training time: dispatch, training, collection and aggregation of all rounds.
    speed_up : float or None
        How many times faster the first arm trained than this one: this arm's `seconds` for each trained row
        over those of the first; of the times as they are, where the rows of either are not known. None for
        the first arm itself, and of an arm that was ended.
    end_to_end : float or None
        The same ratio of the whole times, with start-up and evaluation.
    idle_share : float or None
        The part of the workers' time within rounds in which they had nothing to do.
    efficiency, coordination_share : float or None
        The parts of it in which they computed, and in which none of them did: see
        `fedlocal.results.occupancy`. What is left of 1 they waited for one another.
    critical_path : float or None
        Seconds of the rounds' critical paths, which `seconds` can be compared with.
    reused : str or None
        The run in which this arm was trained, if it was not in turn with the first one: its times are of
        another moment.
    trained_rows : int or None
        How many rows it was trained on, each as often as it was visited.
    contention : float or None
        The part of the time in which others had the cores, of this arm or of the first, whichever is more.
    ended : int or None
        The round in which this arm was ended, because it took many times as long as with one thread.
    processes, cores : int or None
        Of the first arm: how many workers there were, and on how many cores they could be.
    """

    name: str
    accuracy: float | None
    loss: float | None
    seconds: float
    speed_up: float | None = None
    end_to_end: float | None = None
    idle_share: float | None = None
    efficiency: float | None = None
    coordination_share: float | None = None
    critical_path: float | None = None
    reused: str | None = None
    trained_rows: int | None = None
    contention: float | None = None
    ended: int | None = None
    processes: int | None = None
    cores: int | None = None
    rmse: float | None = None

    @property
    def credible_speed_up(self) -> float | None:
        """The speed-up, if others did not have the cores for so much of the time that it says nothing."""
        return None if self.is_busy else self.speed_up

    @property
    def is_busy(self) -> bool:
        """Whether others had the cores for so much of the time that no ratio is shown."""
        return self.contention is not None and self.contention >= WITHHELD

    @property
    def is_doubtful(self) -> bool:
        """Whether they had them for so much of it that a ratio is marked."""
        return self.contention is not None and MARKED <= self.contention < WITHHELD


def arm_of(name: str, history: "History") -> Arm:
    """Return the line of a history: what was evaluated last, and how workers were used."""
    used = usage(history.rounds)
    return Arm(
        name=name,
        accuracy=history.final("accuracy"),
        loss=history.final("loss"),
        seconds=history.seconds,
        idle_share=history.idle_share,
        efficiency=used.efficiency if used else None,
        coordination_share=used.coordination_share if used else None,
        critical_path=used.path if used else None,
    )


class Timed(Protocol):
    """What took its time."""

    @property
    def seconds(self) -> float:
        """Of training."""
        ...

    @property
    def trained_rows(self) -> int | None:
        """How many rows, each as often as it was visited; None if it is not known."""
        ...


def faster(main: Timed, other: Timed) -> float | None:
    """Return how many times faster one work was done than another: row for row, if both say how many.

    Examples
    --------
    >>> quarter = Arm("federated", 0.9, 0.1, seconds=1.0, trained_rows=250)
    >>> faster(quarter, Arm("sequential", 0.9, 0.1, seconds=3.0, trained_rows=1000))
    0.75
    """
    work = 1.0
    if main.trained_rows is not None and other.trained_rows:
        work = main.trained_rows / other.trained_rows
    return other.seconds / main.seconds * work if main.seconds and other.seconds and work else None


def comparison_table(arms: Sequence[Arm], title: str | None = None, main: "History | None" = None) -> "Group":
    """Lay out the arms as a table of at most 80 columns, and below it what it says in words.

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
    rich.console.Group
        A column in which no arm has a value is left out.
    """
    from rich.console import Group
    from rich.text import Text

    columns = comparison_columns(arms)
    table = plain_table(title)
    table.add_column("scheme", overflow="fold")
    for name, _ in columns:
        table.add_column(name, justify="right", no_wrap=True)
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
        ("speed-up\nover it", [about(arm.speed_up, arm) for arm in arms]),
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
    if main is None or main.efficiency is None or main.coordination_share is None:
        return []
    exchange = main.coordination_share
    others = max(0.0, 1 - main.efficiency - exchange)
    parts = {"computing": main.efficiency, "coordination": exchange, "waiting for others": others}
    lines = ["workers: " + ", ".join(f"{share(part)} {state}" for state, part in parts.items())]
    if main.critical_path is not None:
        lines.append(f"critical path: {duration(main.critical_path)} of {duration(main.seconds)}")
    return lines


def about(value: float | None, arm: Arm) -> str:
    """Write a ratio of times, with a mark if they were not taken in turn, or while others had the cores."""
    if arm.ended is not None:
        return "ended"
    if value is None:
        return "-"
    if arm.is_busy:
        return "busy"
    return f"{'~' if arm.reused is not None else ''}{'?' if arm.is_doubtful else ''}{ratio(value)}"


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
