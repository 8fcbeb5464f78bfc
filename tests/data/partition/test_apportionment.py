"""Shares become whole numbers that add up, and nothing falls below its minimum."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.data.partition.apportionment import (
    apportion,
    dirichlet_shares,
    equal_sizes,
    pour,
    raise_sizes,
    round_to_total,
)

seeds = st.integers(0, 2**32 - 1)


def poured_slowly(heights: list[int], room: list[int], total: int) -> list[int]:
    received = [0] * len(heights)
    for _ in range(total):
        can = [i for i in range(len(heights)) if received[i] < room[i]]
        received[min(can, key=lambda i: (heights[i] + received[i], i))] += 1
    return received


@given(st.data(), st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 6)), min_size=1, max_size=8))
def test_pour_gives_what_one_unit_at_a_time_would_give(
    data: st.DataObject, columns: list[tuple[int, int]]
) -> None:
    heights, room = [height for height, _ in columns], [space for _, space in columns]
    total = data.draw(st.integers(0, sum(room)))
    received = pour(np.array(heights), np.array(room), total)
    assert received.tolist() == poured_slowly(heights, room, total)


@given(seeds, st.integers(1, 9), st.integers(1, 40), st.integers(0, 500))
def test_apportioned_numbers_add_up_and_are_off_by_less_than_one(
    seed: int, m: int, actors: int, total: int
) -> None:
    rng = np.random.default_rng(seed)
    shares = dirichlet_shares(0.3, actors, m, rng)
    totals = rng.integers(0, total + 1, m)
    numbers = apportion(shares, totals, rng)
    assert numbers.sum(axis=1).tolist() == totals.tolist()
    assert numbers.min() >= 0
    assert np.all(np.abs(numbers - shares * totals[:, None]) < 1 + 1e-9)


def test_apportioned_numbers_are_right_on_average() -> None:
    rng = np.random.default_rng(0)
    shares = np.tile([0.07, 0.53, 0.4], (20_000, 1))
    mean = apportion(shares, np.full(20_000, 3), rng).mean(axis=0)
    assert np.allclose(mean, [0.21, 1.59, 1.2], atol=0.02)


@given(seeds, st.floats(1e-320, 1e308), st.integers(1, 30))
def test_dirichlet_shares_are_shares_for_any_alpha(seed: int, alpha: float, parts: int) -> None:
    shares = dirichlet_shares(alpha, parts, 5, np.random.default_rng(seed))
    assert np.allclose(shares.sum(axis=1), 1)
    assert shares.min() >= 0


@given(st.lists(st.floats(-500, 500), min_size=1, max_size=20), st.integers(0, 1000))
def test_rounded_sizes_add_up(logarithms: list[float], total: int) -> None:
    sizes = round_to_total(np.array(logarithms), total)
    exact = np.exp(np.array(logarithms) - max(logarithms))
    assert sizes.sum() == total
    assert np.all(np.abs(sizes - exact / exact.sum() * total) < 1 + 1e-9)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.data())
def test_raised_sizes_reach_the_minimum_and_take_from_the_largest(
    sizes: list[int], data: st.DataObject
) -> None:
    min_size = data.draw(st.integers(0, sum(sizes) // len(sizes)))
    before = np.array(sizes)
    after = raise_sizes(before, min_size)
    assert after.sum() == before.sum()
    assert after.min() >= min(min_size, before.min())
    assert np.array_equal(after[before < min_size], np.full((before < min_size).sum(), min_size))
    givers = after < before
    if givers.any():
        assert after[givers].max() <= after[givers].min() + 1
        assert after[givers].min() + 1 >= after[~givers].max()


@given(st.integers(0, 100), st.integers(1, 20))
def test_equal_sizes_differ_by_one_at_most(n: int, parts: int) -> None:
    sizes = equal_sizes(n, parts)
    assert sizes.sum() == n
    assert sizes.max() - sizes.min() <= 1
    assert sizes.tolist() == sorted(sizes, reverse=True)
