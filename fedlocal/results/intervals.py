"""Means and ratios of a few repeats, with their intervals.

All of it rests on Student's t: there are 3 to 30 repeats, and with so few a bootstrap gives intervals that
are too narrow (with three repeats there are but ten different resamples).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """An estimate, and where the true value lies with the confidence asked for.

    Parameters
    ----------
    estimate : float
        The value itself; NaN if there was no trial.
    low, high : float
        The ends; NaN if there were fewer than two trials.
    trials : int
        How many there were.
    """

    estimate: float
    low: float
    high: float
    trials: int

    @property
    def known(self) -> bool:
        """Whether the ends are known."""
        return self.trials > 1


def mean(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean with its interval."""
    from scipy.special import stdtrit  # Student's quantile, without the second that scipy.stats takes to load

    count = len(values)
    if count < 2:
        return Interval(values[0] if count else math.nan, math.nan, math.nan, count)
    middle = float(np.mean(values))
    with np.errstate(over="ignore", invalid="ignore"):  # a stranger's numbers may be anything
        error = float(np.std(values, ddof=1)) / math.sqrt(count)
    half = float(stdtrit(count - 1, (1 + confidence) / 2)) * error
    return Interval(middle, middle - half, middle + half, count)


def ratio(of: Sequence[float], over: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return how many times as large one arm's values are as another's, with the interval.

    The estimate is the geometric mean of the trials' ratios, its interval that of the mean of their
    logarithms: times are positive and vary by factors, and a ratio and its inverse get the same interval.

    Parameters
    ----------
    of, over : sequence of float
        Positive; position k of both is from the same trial.
    confidence : float
        Of the interval.

    Raises
    ------
    ValueError
        If the lengths differ, or a value is not positive.
    """
    if len(of) != len(over) or min([*of, *over], default=1.0) <= 0:
        raise ValueError(f"expected as many positive values of both, got {list(of)} over {list(over)}")
    logs = mean([math.log(one / other) for one, other in zip(of, over, strict=True)], confidence)
    return Interval(math.exp(logs.estimate), math.exp(logs.low), math.exp(logs.high), logs.trials)
