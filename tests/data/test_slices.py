"""Slices as actors see them."""

import pickle
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.data import Partition, Rows, Shards, Slices
from fedlocal.data.skew import GaussianNoise, NoSkew, Skew


def draw(stream: int, partition: int) -> np.random.Generator:
    return np.random.default_rng([stream, partition])


@pytest.fixture
def shards() -> Iterator[Shards]:
    rng = np.random.default_rng(0)
    rows = Rows(rng.random((20, 3), dtype=np.float32), np.arange(20) % 2)
    with Shards.create(rows, Partition.from_owner(np.arange(20) % 3, 3)) as opened:
        yield opened


def slices(shards: Shards, skew: Skew, held_out: float = 0.0) -> Slices:
    return Slices(shards, skew, (3,), held_out, partial(draw, 1), partial(draw, 2))


def test_without_skew_or_holding_out_a_slice_is_the_shard_itself(shards: Shards) -> None:
    opened = slices(shards, NoSkew()).open(1)
    assert np.shares_memory(opened.training.x, shards.open(1).x)
    assert len(opened.held_out) == 0


def test_held_out_rows_and_training_rows_are_disjoint_complete_and_repeatable(shards: Shards) -> None:
    for partition in range(3):
        first, second = (slices(shards, NoSkew(), 0.3).open(partition) for _ in range(2))
        both = np.concatenate([first.training.x, first.held_out.x])
        assert len(first.held_out) == int(0.3 * len(both))
        assert sorted(map(tuple, both)) == sorted(map(tuple, shards.open(partition).x))
        np.testing.assert_array_equal(first.held_out.x, second.held_out.x)


def test_one_row_always_stays_to_train_on() -> None:
    rows = Rows(np.ones((2, 3), dtype=np.float32), np.arange(2))
    with Shards.create(rows, Partition.from_owner(np.arange(2), 2)) as shards:
        assert len(slices(shards, NoSkew(), 0.99).open(0).training) == 1


def test_positions_and_sizes_are_those_of_the_rows(shards: Shards) -> None:
    cut, whole = slices(shards, GaussianNoise(1.0), 0.4), slices(shards, GaussianNoise(1.0))
    for partition in range(3):
        part, positions = cut.open(partition), cut.held_out_positions(partition)
        np.testing.assert_array_equal(part.held_out.x, whole.features(partition)[positions])
        np.testing.assert_array_equal(part.training.x, np.delete(whole.features(partition), positions, 0))
        assert (len(part.training), len(part.held_out)) == (
            cut.training_sizes[partition],
            cut.held_out_sizes[partition],
        )


@given(size=st.integers(0, 50), share=st.floats(0, 1, exclude_max=True))
def test_sizes_are_known_without_opening(size: int, share: float) -> None:
    rows = Rows(np.ones((size + 1, 1), np.float32), np.zeros(size + 1, np.int64))
    with Shards.create(rows, Partition.from_owner(1 * (np.arange(size + 1) == size), 2)) as shards:
        whole = slices(shards, NoSkew(), share)
        opened = [whole.open(partition) for partition in range(2)]
        assert whole.held_out_sizes.tolist() == [len(part.held_out) for part in opened]
        assert whole.training_sizes.tolist() == [len(part.training) for part in opened]


def test_a_skew_is_drawn_once_for_each_partition(shards: Shards) -> None:
    noisy = slices(shards, GaussianNoise(1.0))
    assert noisy.open(2) is noisy.open(2)
    np.testing.assert_array_equal(
        noisy.open(2).training.x, slices(shards, GaussianNoise(1.0)).open(2).training.x
    )
    assert not np.array_equal(noisy.open(2).training.x, shards.open(2).x)


def test_only_the_slices_opened_last_are_kept(shards: Shards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedlocal.data.slices.CACHED_SLICES", 2)
    noisy = slices(shards, GaussianNoise(1.0))
    first, *_, last = (noisy.open(partition) for partition in range(3))
    assert noisy.open(2) is last
    assert noisy.open(0) is not first
    np.testing.assert_array_equal(noisy.open(0).training.x, first.training.x)


def test_opened_slices_do_not_travel(shards: Shards) -> None:
    noisy = slices(shards, GaussianNoise(1.0))
    noisy.open(0)
    assert noisy.__getstate__()["_opened"] == {}
    with pytest.raises(RuntimeError):
        pickle.dumps(noisy)  # only to a process that starts
