"""What trials say about the arms of a study: means and ratios with their intervals, and a test of equality.

All of it rests on Student's t: a study has 3 to 30 trials of an arm, and with so few a bootstrap gives
intervals that are too narrow (with three trials there are but ten different resamples). Trials are paired by
their number, since the arms of a trial ran next to one another on the same seed: what moved both is no
difference between them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


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


@dataclass(frozen=True)
class Equivalence:
    """Whether two arms are alike within a margin, after two one-sided t tests (TOST, Schuirmann 1987).

    Parameters
    ----------
    difference : Interval
        The mean of the paired differences with its interval of 90 %: the arms are equivalent at the level of
        5 % if and only if it lies within the margin.
    margin : float
        Differences below it do not matter.
    p : float
        The chance of such trials if the true difference were as large as the margin; NaN with fewer than two.
    """

    difference: Interval
    margin: float
    p: float

    @property
    def shown(self) -> bool:
        """Whether the trials show, at the level of 5 %, that the arms are alike."""
        return self.p < 0.05

    @property
    def refuted(self) -> bool:
        """Whether they show that the arms are not; often they show neither."""
        return self.difference.low >= self.margin or self.difference.high <= -self.margin


def mean(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean with its interval."""
    count = len(values)
    if count < 2:
        return Interval(values[0] if count else math.nan, math.nan, math.nan, count)
    middle = float(np.mean(values))
    half = float(stats.t.ppf((1 + confidence) / 2, count - 1) * stats.sem(values))
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


def equivalence(of: Sequence[float], over: Sequence[float], margin: float) -> Equivalence:
    """Test whether two arms are alike within a margin.

    Parameters
    ----------
    of, over : sequence of float
        Position k of both is from the same trial.
    margin : float
        In the same unit, above 0.

    Raises
    ------
    ValueError
        If the lengths differ, or the margin is not positive.
    """
    if margin <= 0:
        raise ValueError(f"margin={margin}: must be above 0")
    differences = [one - other for one, other in zip(of, over, strict=True)]
    difference = mean(differences, confidence=0.90)
    if len(differences) < 2:
        return Equivalence(difference, margin, math.nan)
    inside, error = margin - abs(difference.estimate), float(stats.sem(differences))
    if error == 0:  # the same bits in all trials of both
        return Equivalence(difference, margin, 0.0 if inside > 0 else 1.0)
    return Equivalence(difference, margin, float(stats.t.sf(inside / error, len(differences) - 1)))
