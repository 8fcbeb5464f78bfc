"""The interface of a tracker, and the reports of a run that it gets: when it begins, goes on, and ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from fedlocal.results.atomic_files import ResultsError

Scalar = str | int | float | bool
Status = Literal["completed", "failed", "interrupted"]


class TrackerError(ResultsError):
    """The tracker that was asked for cannot be used."""


@dataclass(frozen=True)
class RunStarted:
    """A run before its first round.

    Parameters
    ----------
    name, main : str
        The run's name for people, and that of its main arm.
    folder, sweep
        The run's folder, and the name of its sweep, if it has one.
    parameters : mapping
        Its configuration, by dotted keys.
    tags : mapping of str to str
        Versions of libraries, the overrides, the folder.
    """

    name: str
    main: str
    folder: Path | None = None
    sweep: str | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricPoint:
    """The numbers of one round of one arm, whose name is fit for a path; round 0 is before training.

    `time` is when it was measured, in seconds since 1970; `values` are such as ``accuracy`` and
    ``seconds/training``.
    """

    arm: str
    round: int
    time: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class RunEnded:
    """A run after its last round.

    `metrics` are the main arm's results, `tags` such as the error of a failed run and the weights' hash,
    `figures` PNG files, `models` the models' files.
    """

    status: Status
    round: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    figures: Sequence[Path] = ()
    models: Sequence[Path] = ()


class Tracker(Protocol):
    """A store of another library to which a run is reported.

    The methods are called in this order, each of them once but for `log`. Any but `open` may raise whatever
    it likes: the run goes on, and the tracker gets a last `end` and nothing more.
    """

    def open(self, folder: Path | None) -> None:
        """Check, before there is work to lose, that a run with this folder can be tracked.

        Raises
        ------
        TrackerError
            If it cannot be tracked; the message says what is missing.
        """

    def begin(self, run: RunStarted) -> None:
        """Create a run in the store, or take it up again where its folder says that it was tracked before."""

    def log(self, points: Sequence[MetricPoint]) -> None:
        """Store some numbers, and make them visible before returning.

        A resumed run reports all its rounds again; none of them may be stored twice.
        """

    def end(self, run: RunEnded) -> None:
        """Store the results, and close whatever is open."""
