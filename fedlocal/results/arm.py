"""The result of one scheme in a run: a line of its table, and of its ``summary.json``."""

from dataclasses import dataclass
from typing import Protocol

from fedlocal.results.history import History
from fedlocal.results.occupancy import usage

MARKED, WITHHELD = 0.1, 0.3
"""Shares of the time taken by other work from which a ratio is marked, and from which it is hidden."""


@dataclass(frozen=True)
class Arm:
    """One scheme's result. In a comparison the first arm is the one that the run is about.

    Parameters
    ----------
    name : str
        Such as ``federated`` or ``sequential, 1 thread``.
    accuracy, loss : float or None
        The final model's, on the test set.
    rmse : float or None
        The final model's, on real-valued targets, in the targets' units.
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
        The share of the time in which other work had the cores, the larger of this arm's and the first one's.
    ended : int or None
        The round in which this arm was ended, because it took many times as long as with one thread.
    processes, cores : int or None
        Of the first arm alone: the number of its workers, and of the cores that they could use.
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
        """The speed-up; None if the machine was so busy with other work that it says nothing."""
        return None if self.is_busy else self.speed_up

    @property
    def is_busy(self) -> bool:
        """Whether the machine was so busy with other work that no ratio is shown."""
        return self.contention is not None and self.contention >= WITHHELD

    @property
    def is_doubtful(self) -> bool:
        """Whether the machine was so busy with other work that a ratio is marked."""
        return self.contention is not None and MARKED <= self.contention < WITHHELD


def arm_of(name: str, history: History) -> Arm:
    """Return the arm of a history: its last evaluation, and how its workers were used."""
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
    """Training whose time and rows are counted."""

    @property
    def seconds(self) -> float:
        """Seconds of training."""
        ...

    @property
    def trained_rows(self) -> int | None:
        """How many rows, each as often as it was visited; None if it is not known."""
        ...


def faster(main: Timed, other: Timed) -> float | None:
    """Return how many times as fast one training was as another: row for row, if both say how many rows.

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
