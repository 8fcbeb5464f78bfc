import math

import pytest
from scipy import stats

from fedlocal.results.intervals import mean, ratio

VALUES = [0.91, 0.94, 0.97, 0.90]


def test_the_interval_is_that_of_students_t() -> None:
    interval = mean(VALUES)
    low, high = stats.t.interval(0.95, len(VALUES) - 1, loc=interval.estimate, scale=stats.sem(VALUES))
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((0.93, low, high))


def test_a_single_value_has_no_interval_and_no_values_have_no_estimate() -> None:
    single, none = mean([3.0]), mean([])
    assert (single.estimate, single.has_ends, single.trials) == (3.0, False, 1)
    assert math.isnan(single.low)
    assert math.isnan(none.estimate)


def test_a_ratio_and_its_inverse_have_the_same_interval() -> None:
    there, back = ratio([2.0, 3.0], [1.0, 1.0]), ratio([1.0, 1.0], [2.0, 3.0])
    assert (there.estimate, there.low, there.high) == pytest.approx(
        (1 / back.estimate, 1 / back.high, 1 / back.low)
    )


def test_a_ratio_of_nothing_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        ratio([1.0], [0.0])
