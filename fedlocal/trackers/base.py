"""What a tracker is, and what it is told of a run: names and numbers, when it begins, goes on, and ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from fedlocal.results.atomic_files import ResultsError

Scalar = str | int | float | bool


class TrackerError(ResultsError):
    """A tracker cannot be used as it is asked for."""


@dataclass(frozen=True)
class RunStarted:
    """What is known of a run before its first round.

    Parameters
    ----------
    name : str
        What people tell it from others by.
    main : str
        The name of the arm that it is about.
    folder : Path or None
        Where its files lie.
    sweep : str or None
        The name of the sweep that it is part of.
    parameters : Mapping[str, str | int | float | bool]
        Its configuration, by dotted keys.
    tags : Mapping[str, str]
        What else is known of it.
    """

    name: str
    main: str
    folder: Path | None = None
    sweep: str | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricPoint:
    """The numbers of one round of one arm.

    Parameters
    ----------
    arm : str
        Its name, fit for a path.
    round : int
        From 0, the model before training.
    time : float
        When it was measured, in seconds since 1970.
    values : Mapping[str, float]
        Such as ``accuracy`` and ``seconds/training``.
    """

    arm: str
    round: int
    time: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class RunEnded:
    """What is known of a run after its last round.

    Parameters
    ----------
    status : {"completed", "failed", "interrupted"}
        How it ended.
    round : int
        The last one.
    metrics : Mapping[str, float]
        What came out of it.
    tags : Mapping[str, str]
        What else is known of it: why it failed, the hash of its weights.
    figures, models : sequence of Path
        The PNG files and the files of models that are there.
    """

    status: Literal["completed", "failed", "interrupted"]
    round: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    figures: Sequence[Path] = ()
    models: Sequence[Path] = ()


class Tracker(Protocol):
    """A place of another library that a run is told to.

    The methods are called in this order, each of them once but for `log`. Any but `open` may raise whatever
    it likes: the run goes on, and the tracker is told that it ended, and nothing more.
    """

    def open(self, folder: Path | None) -> None:
        """Find out, before there is work to lose, whether a run can be tracked.

        Parameters
        ----------
        folder : Path or None
            Of the run.

        Raises
        ------
        TrackerError
            If it cannot; the message says how it could.
        """

    def begin(self, run: RunStarted) -> None:
        """Begin with a run, or go on with it where its folder says that it was begun before."""

    def log(self, points: Sequence[MetricPoint]) -> None:
        """Take some numbers, which must then be where people can see them.

        Of a run that goes on, all its rounds are told again; none of them may be there twice.
        """

    def end(self, run: RunEnded) -> None:
        """Take the results, and let go of all that is open."""
