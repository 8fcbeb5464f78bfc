"""What trials say about the arms of a study: means and ratios with their intervals, and a test of equality.

All of it rests on Student's t: a study has 3 to 30 trials of an arm, and with so few a bootstrap gives
intervals that are too narrow (with three trials there are but ten different resamples). Trials are paired by
their number, since the arms of a trial ran next to one another on the same seed: what moved both is no
difference between them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from fedlocal.results.intervals import Interval, mean, ratio

__all__ = ["Equivalence", "Interval", "equivalence", "mean", "ratio"]


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

    @property
    def verdict(self) -> str:
        """``yes``, ``no``, ``not shown``; empty where too few trials can show anything."""
        if math.isnan(self.p):
            return ""
        return "yes" if self.shown else "no" if self.refuted else "not shown"


def equivalence(of: Sequence[float], over: Sequence[float], margin: float) -> Equivalence:
    """Test whether two arms are alike within a margin above 0; position k of both is from the same trial."""
    if margin <= 0:
        raise ValueError(f"margin={margin}: must be above 0")
    differences = [first - second for first, second in zip(of, over, strict=True)]
    difference = mean(differences, confidence=0.90)
    if len(differences) < 2:
        return Equivalence(difference, margin, math.nan)
    inside, error = margin - abs(difference.estimate), float(stats.sem(differences))
    if error == 0:  # the same bits in all trials of both
        return Equivalence(difference, margin, 0.0 if inside > 0 else 1.0)
    return Equivalence(difference, margin, float(stats.t.sf(inside / error, len(differences) - 1)))
