"""What all strategies promise: disjoint, complete, ascending, big enough, seeded; one actor: the identity."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition import Partition, PartitionStrategy, Traits
from fedlocal.partitions import (
    Continuous,
    Dirichlet,
    Distribution,
    Exponential,
    ExtendedDirichlet,
    Group,
    Iid,
    InnerDirichlet,
    LabelShards,
    Linear,
    Mixed,
    Orthogonal,
    Pathological,
    Quantity,
    Sizes,
    Square,
)

Draw = st.DrawFn


@dataclass(frozen=True)
class Case:
    traits: Traits
    actors: int
    min_size: int
    seed: int

    def run(self, strategy: PartitionStrategy) -> Partition:
        return strategy(self.traits, self.actors, np.random.default_rng(self.seed))


@st.composite
def cases(draw: Draw) -> Case:
    k = draw(st.integers(2, 8))
    labels = np.array(draw(st.lists(st.integers(0, k - 1), min_size=2, max_size=120)), np.int64)
    groups = np.array(draw(st.lists(st.integers(0, 5), min_size=len(labels), max_size=len(labels))))
    actors = draw(st.integers(1, min(len(labels), 25)))
    min_size = draw(st.integers(1, len(labels) // actors))
    return Case(Traits(labels, np.arange(k) * 10, groups), actors, min_size, draw(st.integers(0, 1000)))


def sound(case: Case, partition: Partition, min_size: int) -> None:
    parts = [partition.indices(actor) for actor in range(case.actors)]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(case.traits)))
    assert all(np.all(np.diff(part) > 0) for part in parts)
    assert min(map(len, parts)) >= min_size
    assert [len(part) for part in parts] == partition.sizes.tolist()
    if case.actors == 1:
        assert np.array_equal(partition.order, np.arange(len(case.traits)))


alphas = st.floats(1e-6, 1e6)
unit = st.floats(0, 1)
Make = Callable[[Case, st.DataObject], PartitionStrategy]

ALWAYS_POSSIBLE: dict[str, Make] = {
    "iid": lambda _c, _d: Iid(),
    "dirichlet": lambda c, d: Dirichlet(d.draw(alphas), d.draw(st.booleans()), c.min_size),
    "inner_dirichlet": lambda c, d: InnerDirichlet(d.draw(alphas), d.draw(st.floats(0, 5)), c.min_size),
    "mixed": lambda c, d: Mixed(d.draw(unit), d.draw(alphas), c.min_size),
    "distribution": lambda c, d: Distribution(table(c, d), c.min_size),
    "quantity": lambda c, d: Quantity(
        d.draw(st.sampled_from(("lognormal", "powerlaw"))), d.draw(st.floats(0, 100)), 100.0, c.min_size
    ),
    "linear": lambda c, _d: Linear(c.min_size),
    "square": lambda c, _d: Square(c.min_size),
    "exponential": lambda c, _d: Exponential(c.min_size),
}


def table(case: Case, data: st.DataObject) -> list[list[float]]:
    assert case.traits.classes is not None
    row = st.lists(st.floats(0.01, 1e3), min_size=case.actors, max_size=case.actors)
    k = len(case.traits.classes)
    return data.draw(st.lists(row, min_size=k, max_size=k))


@pytest.mark.parametrize("name", ALWAYS_POSSIBLE)
@given(case=cases(), data=st.data())
def test_strategies_with_a_minimum_size_always_reach_it(name: str, case: Case, data: st.DataObject) -> None:
    strategy = ALWAYS_POSSIBLE[name](case, data)
    min_size = case.min_size if hasattr(strategy, "min_size") else 1
    partition = case.run(strategy)
    sound(case, partition, min_size)
    assert np.array_equal(partition.order, case.run(strategy).order)


@given(case=cases(), strictness=unit)
def test_continuous_gives_equal_parts(case: Case, strictness: float) -> None:
    assume(len(np.unique(case.traits.labels)) > 1)
    partition = case.run(Continuous(strictness))
    sound(case, partition, len(case.traits) // case.actors)
    assert np.array_equal(partition.order, case.run(Continuous(strictness)).order)


@given(case=cases(), per_actor=st.integers(1, 4))
def test_shards_are_equal_if_there_are_rows_for_them(case: Case, per_actor: int) -> None:
    assume(case.actors * per_actor <= len(case.traits))
    partition = case.run(LabelShards(per_actor))
    sound(case, partition, per_actor)
    assert partition.sizes.max() - partition.sizes.min() <= per_actor


def class_counts(traits: Traits) -> NDArray[np.int64]:
    counts = np.bincount(traits.labels)
    return counts[counts > 0]


def classes_of_each(case: Case, partition: Partition) -> list[int]:
    return [len(np.unique(case.traits.labels[partition.indices(a)])) for a in range(case.actors)]


@pytest.mark.parametrize("make", [Pathological, ExtendedDirichlet])
@given(case=cases(), per_actor=st.integers(1, 6))
def test_a_fixed_number_of_classes_is_given_exactly_when_that_can_be(
    make: Callable[[int], PartitionStrategy], case: Case, per_actor: int
) -> None:
    counts, slots = class_counts(case.traits), case.actors * per_actor
    possible = per_actor <= len(counts) <= slots <= np.minimum(counts, case.actors).sum()
    if case.actors == 1:
        sound(case, case.run(make(per_actor)), 1)
    elif possible:
        partition = case.run(make(per_actor))
        sound(case, partition, per_actor)
        assert classes_of_each(case, partition) == [per_actor] * case.actors
        assert np.array_equal(partition.order, case.run(make(per_actor)).order)
    else:
        with pytest.raises(PartitionError):
            case.run(make(per_actor))


@pytest.mark.parametrize("assignment", ["deterministic", "first-deterministic"])
@given(case=cases(), per_actor=st.integers(1, 6))
def test_chosen_classes_are_exact_or_refused(assignment: str, case: Case, per_actor: int) -> None:
    strategy = Pathological(per_actor, assignment)  # type: ignore[arg-type]
    assume(case.actors > 1)
    try:
        partition = case.run(strategy)
    except PartitionError:
        return
    sound(case, partition, per_actor)
    assert classes_of_each(case, partition) == [per_actor] * case.actors


@given(case=cases())
def test_orthogonal_classes_are_whole_if_there_are_enough(case: Case) -> None:
    counts = class_counts(case.traits)
    if case.actors > len(counts):
        with pytest.raises(PartitionError, match="disjoint classes"):
            case.run(Orthogonal())
    else:
        partition = case.run(Orthogonal())
        sound(case, partition, 1)
        assert sum(classes_of_each(case, partition)) == len(counts)


@pytest.mark.parametrize("merge", ["contiguous", "balanced"])
@given(case=cases())
def test_groups_stay_whole_if_there_are_enough(merge: str, case: Case) -> None:
    strategy = Group(merge)  # type: ignore[arg-type]
    assert case.traits.groups is not None
    names = np.unique(case.traits.groups)
    if 1 < case.actors > len(names):
        with pytest.raises(PartitionError, match=f"{len(names)} groups for {case.actors} actors"):
            case.run(strategy)
        return
    partition = case.run(strategy)
    sound(case, partition, 1)
    groups = case.traits.groups
    assert sum(len(np.unique(groups[partition.indices(a)])) for a in range(case.actors)) == len(names)


@given(case=cases(), data=st.data())
def test_given_sizes_are_kept(case: Case, data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(1e-3, 1e3), min_size=case.actors, max_size=case.actors))
    partition = case.run(Sizes(proportions=weights))
    sound(case, partition, 1)
    again = case.run(Sizes(counts=partition.sizes.tolist()))
    assert again.sizes.tolist() == partition.sizes.tolist()
