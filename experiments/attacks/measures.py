"""What the trials of the study of attacks amount to: the accuracy of a strategy under an attack."""

from collections.abc import Sequence

import numpy as np

from experiments.attacks.arms import name
from experiments.intervals import Interval
from experiments.outcomes import Trial, values


def accuracy(trials: Sequence[Trial], strategy: str, attack: str) -> Interval:
    """Return the median of the trials' accuracies in percent, and the lowest and the highest of them.

    Under an attack that a strategy withstands in one trial and not in another, a mean would be of neither.
    """
    percents = [100 * value for value in values(trials, name(strategy, attack), "accuracy").values()]
    if not percents:
        return Interval(np.nan, np.nan, np.nan, 0)
    return Interval(float(np.median(percents)), min(percents), max(percents), len(percents))
