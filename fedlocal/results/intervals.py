"""Means and ratios of a few repeats, with their intervals.

All of it rests on Student's t: there are 3 to 30 repeats, and with so few a bootstrap gives intervals that
are too narrow (with three repeats there are but ten different resamples).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

SIGNIFICANCE = 0.05


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
        The number of trials.
    """

    estimate: float
    low: float
    high: float
    trials: int

    @property
    def has_ends(self) -> bool:
        """Whether `low` and `high` are numbers: they take two trials."""
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


def ratio(of: Sequence[float], over: Sequence[float]) -> Interval:
    """Return how many times as large one arm's values are as another's, with the 95 % interval.

    The estimate is the geometric mean of the trials' ratios, its interval that of the mean of their
    logarithms: times are positive and vary by factors, and a ratio and its inverse get the same interval.

    Parameters
    ----------
    of, over : sequence of float
        Positive; position k of both is from the same trial.

    Raises
    ------
    ValueError
        If the lengths differ, or a value is not positive.
    """
    if len(of) != len(over) or min([*of, *over], default=1.0) <= 0:
        raise ValueError(f"expected as many positive values of both, got {list(of)} over {list(over)}")
    logs = mean([math.log(value / base) for value, base in zip(of, over, strict=True)])
    return Interval(math.exp(logs.estimate), math.exp(logs.low), math.exp(logs.high), logs.trials)


def leads(values: Sequence[Mapping[str, float]]) -> list[bool | None]:
    """Say over which of the other settings the first one's lead is more than chance.

    The first was chosen for being best, so it takes part in the largest of all differences: all pairs are
    compared, by Student's t on the differences over common trials, and corrected after Holm. Where nothing
    differs, some lead is claimed in 5 % of all cases at most.

    Parameters
    ----------
    values : sequence of mapping of str to float
        Each setting's values, by trial. Of one with fewer than two trials in common with the first, None is
        returned.
    """
    pairs = list(combinations(range(len(values)), 2))
    chances = [
        (_chance([values[a][trial] - values[b][trial] for trial in values[a] if trial in values[b]]), (a, b))
        for a, b in pairs
    ]
    ranked = sorted((chance, pair) for chance, pair in chances if chance is not None)
    sure: dict[tuple[int, int], bool] = {}
    still = True
    for rank, (chance, pair) in enumerate(ranked):
        still = still and chance <= SIGNIFICANCE / (len(ranked) - rank)
        sure[pair] = still
    return [sure.get((0, other)) for other in range(1, len(values))]


def _chance(differences: Sequence[float]) -> float | None:
    """Return how often chance alone would give such differences, None for fewer than two."""
    from scipy.special import stdtr

    count = len(differences)
    if count < 2:
        return None
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        error = float(np.std(differences, ddof=1)) / math.sqrt(count)
        middle = float(np.mean(differences))
    if error <= 1e-12 * abs(middle):  # Student's t takes equal differences for certainty: count their signs
        return 2.0 ** (1 - count) if middle else 1.0
    return float(2 * stdtr(count - 1, -abs(middle) / error))
