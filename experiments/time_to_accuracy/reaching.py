"""When a run reached an accuracy, in seconds of training and in passes over the data."""

from collections.abc import Sequence
from typing import NamedTuple

from experiments.outcomes import Trial
from experiments.time_to_accuracy.arms import Method
from fedlocal.results import History


class Moment(NamedTuple):
    """A moment of a run: seconds of training and passes over the data so far, accuracy on the test set."""

    seconds: float
    passes: float
    accuracy: float


def course(history: History, epochs: int) -> list[Moment]:
    """Return the moments at which a run was evaluated; a round is so many passes."""
    moments, seconds = [], 0.0
    for round_ in history.rounds:
        seconds += round_.timed
        if "accuracy" in round_.metrics:
            moments.append(Moment(seconds, round_.number * epochs, round_.metrics["accuracy"]))
    return moments


def reached(moments: Sequence[Moment], target: float) -> Moment | None:
    """Return when a run first had an accuracy; None if it never did.

    Between the evaluation that first shows it and the one before, all is taken to go on evenly.
    """
    for before, after in zip([*moments[:1], *moments], moments, strict=False):
        if after.accuracy >= target:
            rise = after.accuracy - before.accuracy
            part = (target - before.accuracy) / rise if rise > 0 else 1.0
            between = (old + part * (new - old) for old, new in zip(before, after, strict=True))
            return Moment(*between)
    return None


def courses(trials: Sequence[Trial], method: Method) -> dict[int, list[Moment]]:
    """Return the courses of a method's runs, by the number of the trial."""
    return {
        trial.number: course(trial.history(), method.epochs) for trial in trials if trial.arm == method.name
    }
