"""A partition is disjoint, complete and ascending, or it does not exist."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.data import Partition, PartitionError, Traits


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_rows_go_where_the_owner_says(owners: list[int]) -> None:
    partition = Partition.from_owner(ints(*owners), 7)
    assert len(partition) == 7
    assert partition.sizes.sum() == len(owners)
    for actor in range(7):
        assert partition.indices(actor).tolist() == [
            row for row, owner in enumerate(owners) if owner == actor
        ]


def test_many_actors_are_sorted_as_few_are() -> None:
    owner = np.random.default_rng(0).integers(0, 70_000, 1000)
    partition = Partition.from_owner(owner, 70_000)
    assert np.array_equal(owner[partition.order], np.sort(owner))


@pytest.mark.parametrize(
    ("order", "offsets", "message"),
    [
        (ints(0, 1, 1), ints(0, 3), "disjoint and complete"),
        (ints(0, 1, 3), ints(0, 3), r"0\.\.2"),
        (ints(-1, 1, 0), ints(0, 3), r"0\.\.2"),
        (ints(1, 0, 2), ints(0, 3), "ascend"),
        (ints(0, 2, 1), ints(0, 1, 3), "ascend"),
        (ints(0, 1, 2), ints(0, 2), "offsets"),
        (ints(0, 1, 2), ints(1, 3), "offsets"),
        (ints(0, 1, 2), ints(0, 2, 1, 3), "offsets"),
        (ints(0, 1, 2), ints(0), "offsets"),
        (np.array([0.0, 1.0]), ints(0, 2), "integer"),
        (ints(0, 1)[None], ints(0, 2), "one-dimensional"),
    ],
)
def test_an_order_or_offsets_that_break_a_promise_are_refused(
    order: np.ndarray, offsets: np.ndarray, message: str
) -> None:
    with pytest.raises(PartitionError, match=message):
        Partition(order, offsets)


def test_parts_may_be_empty_and_fall_anywhere() -> None:
    partition = Partition(ints(1, 2, 0), ints(0, 0, 2, 2, 3, 3))
    assert [part.tolist() for part in map(partition.indices, range(5))] == [[], [1, 2], [], [0], []]


def test_owners_out_of_range_are_refused() -> None:
    with pytest.raises(PartitionError, match=r"0\.\.1, got 0\.\.2"):
        Partition.from_owner(ints(0, 2), 2)


@pytest.mark.parametrize("partition_id", [-1, 2])
def test_a_part_that_does_not_exist_is_refused(partition_id: int) -> None:
    with pytest.raises(PartitionError, match=f"partition {partition_id} does not exist"):
        Partition.from_owner(ints(0, 1), 2).indices(partition_id)


def test_a_partition_cannot_be_changed() -> None:
    partition = Partition.from_owner(ints(0, 1), 2)
    with pytest.raises(ValueError, match="read-only"):
        partition.order[0] = 1


def test_a_partition_can_be_pickled() -> None:
    partition = Partition.from_owner(ints(0, 1, 0), 2)
    copy = pickle.loads(pickle.dumps(partition))  # noqa: S301 - our own bytes
    assert np.array_equal(copy.order, partition.order)


@pytest.mark.parametrize(
    ("labels", "classes", "groups", "message"),
    [
        (ints(0, 1)[None], None, None, "one dimension"),
        (ints(0, 1), None, ints(1), "groups has shape"),
        (ints(0, 2), ints(5, 6), None, r"0\.\.1"),
        (np.array([0.5]), ints(5, 6), None, "integers"),
    ],
)
def test_traits_that_do_not_fit_are_refused(
    labels: np.ndarray,
    classes: np.ndarray | None,
    groups: np.ndarray | None,
    message: str,
) -> None:
    with pytest.raises(PartitionError, match=message):
        Traits(labels, classes, groups)
