"""Chance decides who is away, and the seed decides chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlocal.availability import Availability, AvailabilityError, Dropout, Sessions
from tests.availability.draws import presences, there

seeds = st.integers(0, 2**32 - 1)
by_chance = st.one_of(
    st.builds(Dropout, st.floats(0, 1, exclude_max=True)),
    st.builds(Sessions, st.floats(1, 20), st.floats(1, 20)),
)


@given(by_chance, seeds, st.integers(1, 20), st.integers(1, 10), st.integers(0, 3))
def test_the_presence_of_an_actor_depends_on_seed_actor_and_round_alone(
    availability: Availability, seed: int, actors: int, rounds: int, more: int
) -> None:
    smaller = there(availability, actors, rounds, seed)
    np.testing.assert_array_equal(there(availability, actors, rounds, seed), smaller)
    larger = there(availability, actors + more, rounds + more, seed)
    np.testing.assert_array_equal(larger[:rounds, :actors], smaller)


@given(by_chance, seeds)
def test_another_seed_gives_other_presences(availability: Availability, seed: int) -> None:
    first, second = there(availability, 500, 8, seed), there(availability, 500, 8, seed + 1)
    assert first.all() or not first.any() or (first != second).any()


@settings(max_examples=30)
@given(st.floats(0, 1, exclude_max=True), seeds)
def test_dropout_misses_as_many_rounds_as_it_should(p: float, seed: int) -> None:
    missed = 1 - there(Dropout(p), 500, 20, seed).mean()
    assert abs(missed - p) < 6 * np.sqrt(p * (1 - p) / 10_000) + 1e-9  # six deviations of the mean


def test_no_actor_is_away_with_probability_zero() -> None:
    assert there(Dropout(0.0), 50, 50).all()


@settings(max_examples=30)
@given(st.floats(0, 0.9), seeds)
def test_with_mid_round_the_actors_that_would_be_away_are_lost(p: float, seed: int) -> None:
    away = ~there(Dropout(p), 20, 10, seed)
    for presence, missing in zip(presences(Dropout(p, mid_round=True), 20, 10, seed), away, strict=True):
        assert presence.available.all()
        np.testing.assert_array_equal(presence.lost, missing)
        np.testing.assert_array_equal(presence.to_the_end, ~missing)


@pytest.mark.parametrize(("present", "away"), [(8, 2), (1, 1), (3, 12), (20, 1)])
def test_sessions_last_as_long_as_they_should(present: float, away: float) -> None:
    present_ = there(Sessions(present, away), 400, 400)
    assert present_.mean() == pytest.approx(present / (present + away), abs=0.02)
    assert present_[0].mean() == pytest.approx(present / (present + away), abs=0.1)  # from the start
    leaves, comes = present_[:-1] & ~present_[1:], ~present_[:-1] & present_[1:]
    assert leaves.sum() / present_[:-1].sum() == pytest.approx(1 / present, rel=0.05)
    assert comes.sum() / (~present_[:-1]).sum() == pytest.approx(1 / away, rel=0.05)


@pytest.mark.parametrize("p", [-0.1, 1.0, 2.0, float("nan")])
def test_a_probability_out_of_range_is_refused(p: float) -> None:
    with pytest.raises(AvailabilityError, match=f"dropout: p={p}, expected a probability"):
        Dropout(p)


@pytest.mark.parametrize(("name", "mean"), [("present", 0.5), ("away", 0), ("away", float("inf"))])
def test_a_mean_out_of_range_is_refused(name: str, mean: float) -> None:
    with pytest.raises(AvailabilityError, match=f"sessions: {name}={mean}, expected a mean"):
        Sessions(**{name: mean})
