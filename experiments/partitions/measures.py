"""What the trials of the study of partitions amount to: losses of accuracy, sizes of parts, idle time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.intervals import Equivalence, Interval, equivalence, mean
from experiments.outcomes import Trial, paired
from experiments.partitions.arms import IID, Division, name

WORKERS = 2  # of the timed runs
MARGIN = 1.0  # point of accuracy: less does not matter


def loss(trials: Sequence[Trial], strategy: str, division: Division, below: str = "fedavg") -> Interval:
    """Return by how many points a strategy is below another one (or itself) on IID data, trial by trial."""
    best, accuracies = paired(trials, name(below, IID), name(strategy, division), "accuracy")
    return mean([100 * (above - accuracy) for above, accuracy in zip(best, accuracies, strict=True)])


def costs_nothing(trials: Sequence[Trial], division: Division) -> Equivalence:
    """Test whether fedavg is as accurate on a division as on IID data, within `MARGIN` points."""
    both = paired(trials, name("fedavg", IID), name("fedavg", division), "accuracy")
    of, over = ([100 * accuracy for accuracy in arm] for arm in both)
    return equivalence(of, over, MARGIN)


@dataclass(frozen=True)
class Idle:
    """How idle the timed runs of a division were, in percent.

    ``largest`` is the largest actor's share of the rows, ``measured`` the workers' idle share within rounds,
    ``least`` what it would be if nothing but the largest part were in the way, ``apart`` the idle share if
    each actor had a core of its own.
    """

    largest: float
    measured: Interval
    least: float
    apart: Interval


def idle(trials: Sequence[Trial], division: Division) -> Idle | None:
    """Return how idle the runs of a division were; None if there is none."""
    runs = [trial for trial in trials if trial.arm == name("fedavg", division)]
    if not runs:
        return None
    shares = [_largest(trial) for trial in runs]
    return Idle(
        largest=float(np.mean(shares)),
        measured=mean([100 * (trial.idle_share or 0.0) for trial in runs]),
        least=float(np.mean([least_idle(share, WORKERS) for share in shares])),
        apart=mean([_apart(trial) for trial in runs]),
    )


def least_idle(largest: float, workers: int) -> float:
    """Return the idle percent of a round that lasts as long as its largest part, or as all parts evenly."""
    return 100 * max(0.0, 1 - 100 / (workers * largest))


def _largest(trial: Trial) -> float:
    rows = [actor["num-examples"] for actor in trial.history().rounds[-1].actors.values()]
    return 100 * float(max(rows) / sum(rows))


def _apart(trial: Trial) -> float:
    """Return the idle percent if each actor had a core: all wait for the slowest one of each round."""
    rounds = [
        [actor["seconds"] for actor in round_.actors.values()]
        for round_ in trial.history().rounds
        if round_.actors
    ]
    return 100 - 100 * sum(map(sum, rounds)) / sum(len(seconds) * max(seconds) for seconds in rounds)
