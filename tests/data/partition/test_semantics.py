"""What each strategy means: the distributions and formulas its sources describe."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

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

Counts = NDArray[np.int64]


def balanced(n: int, k: int) -> Traits:
    return Traits(np.random.default_rng(0).permutation(np.arange(n) % k), np.arange(k))


def split(strategy: PartitionStrategy, traits: Traits, actors: int, seed: int = 0) -> Partition:
    return strategy(traits, actors, np.random.default_rng(seed))


def label_counts(traits: Traits, partition: Partition) -> Counts:
    """Return rows of each class of each actor, (actors, k)."""
    k = int(traits.labels.max()) + 1
    return np.array(
        [np.bincount(traits.labels[partition.indices(i)], minlength=k) for i in range(len(partition))]
    )


def test_iid_parts_are_equal_and_alike() -> None:
    traits = balanced(10_003, 10)
    partition = split(Iid(), traits, 4)
    assert partition.sizes.tolist() == [2501, 2501, 2501, 2500]
    assert np.abs(label_counts(traits, partition) - 250).max() < 70  # 5 deviations


@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
def test_dirichlet_has_the_moments_of_its_distribution(alpha: float) -> None:
    traits, actors = balanced(5000, 5), 8
    counts = [label_counts(traits, split(Dirichlet(alpha), traits, actors, seed)) for seed in range(400)]
    shares = np.array(counts) / 1000
    variance = (actors - 1) / (actors**2 * (actors * alpha + 1))
    assert shares.mean() == pytest.approx(1 / actors, abs=1e-9)
    assert shares.var() == pytest.approx(variance, rel=0.1)


def test_dirichlet_with_tiny_alpha_gives_a_class_to_one_actor() -> None:
    traits = balanced(1000, 5)
    counts = label_counts(traits, split(Dirichlet(1e-12), traits, 3))
    assert np.all(np.sum(counts > 2, axis=0) == 1)  # the repair of empty parts moves single rows


def test_dirichlet_with_huge_alpha_is_even() -> None:
    traits = balanced(1000, 5)
    assert np.abs(label_counts(traits, split(Dirichlet(1e9), traits, 4)) - 50).max() <= 1


def test_balanced_dirichlet_gives_no_further_class_to_a_full_actor() -> None:
    traits = balanced(10_000, 10)
    for seed in range(20):
        sizes = split(Dirichlet(0.05, balance=True), traits, 10, seed).sizes
        assert sizes.max() <= 1000 + 1000  # full at the mean, plus one class


def test_inner_dirichlet_has_equal_sizes_and_own_mixtures() -> None:
    traits = balanced(20_000, 10)
    for alpha, classes in ((1e-3, 2.5), (1e4, 10.0)):
        counts = label_counts(traits, split(InnerDirichlet(alpha), traits, 50))
        assert counts.sum(axis=1).tolist() == [400] * 50
        assert np.mean(np.sum(counts > 4, axis=1)) == pytest.approx(classes, abs=1.5)


def test_inner_dirichlet_mixtures_have_the_moments_of_their_distribution() -> None:
    traits, actors = balanced(400_000, 4), 40  # rows to spare, so that first wishes are granted
    sizes = Traits(traits.labels[:], traits.classes)
    shares = np.concatenate(
        [label_counts(sizes, split(InnerDirichlet(5.0), sizes, actors, seed)) / 10_000 for seed in range(20)]
    )
    assert shares.mean() == pytest.approx(0.25, abs=1e-9)
    assert shares.var() == pytest.approx(3 / (16 * 21), rel=0.15)


def row_by_row(alpha: float, sizes: Counts, counts: Counts, rng: np.random.Generator) -> Counts:
    """Return how many rows of each class each client gets, as in FedDyn's published code."""
    mixtures = rng.dirichlet(np.full(len(counts), alpha), len(sizes))
    served, left, stock = np.zeros(mixtures.shape, np.int64), sizes.copy(), counts.copy()
    while left.any():
        client = rng.choice(np.flatnonzero(left))
        left[client] -= 1
        shares = mixtures[client] * (stock > 0)
        shares = shares if shares.sum() > 1e-300 else stock
        klass = rng.choice(len(counts), p=shares / shares.sum())
        stock[klass] -= 1
        served[client, klass] += 1
    return served


def mean_entropy(served: Counts) -> float:
    shares = served / served.sum(axis=1, keepdims=True)
    return float(-(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1).mean())


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.5])
def test_inner_dirichlet_is_as_skewed_as_dealing_row_by_row(alpha: float) -> None:
    traits, sizes = balanced(1200, 10), np.full(12, 100)
    ours = [
        mean_entropy(label_counts(traits, split(InnerDirichlet(alpha), traits, 12, seed)))
        for seed in range(40)
    ]
    draws = np.random.default_rng(1)
    source = [mean_entropy(row_by_row(alpha, sizes, np.full(10, 120), draws)) for _ in range(40)]
    spread = np.sqrt(np.var(ours) / 40 + np.var(source) / 40)
    assert abs(np.mean(ours) - np.mean(source)) < 4 * spread


def test_inner_dirichlet_sizes_are_log_normal() -> None:
    sizes = split(InnerDirichlet(1.0, sigma=0.5), balanced(200_000, 4), 1000).sizes
    assert np.log(sizes).std() == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("alpha", [0.3, 10_000.0])
def test_inner_dirichlet_survives_exhausted_classes(alpha: float) -> None:
    labels = np.repeat([0, 1, 2], [970, 20, 10])
    partition = split(InnerDirichlet(alpha), Traits(labels, np.arange(3)), 100)
    assert partition.sizes.tolist() == [10] * 100


def test_extended_dirichlet_divides_a_class_unevenly_among_its_owners() -> None:
    traits = balanced(10_000, 10)
    uneven = label_counts(traits, split(ExtendedDirichlet(3, 0.1), traits, 20))
    even = label_counts(traits, split(ExtendedDirichlet(3, 1e6), traits, 20))
    assert np.all(np.sum(uneven > 0, axis=1) == 3)
    assert np.sort(uneven, axis=0)[-1].mean() > 2 * np.sort(even, axis=0)[-1].mean()


def test_shards_have_few_classes_as_in_the_paper() -> None:
    traits = balanced(6000, 10)
    partition = split(LabelShards(2), traits, 100)
    classes = np.sum(label_counts(traits, partition) > 0, axis=1)
    assert partition.sizes.tolist() == [60] * 100
    assert classes.max() <= 2  # 30 rows a shard divide the 600 of a class


def test_shards_follow_a_real_valued_target() -> None:
    traits = Traits(np.random.default_rng(0).standard_normal(100))
    partition = split(LabelShards(1), traits, 10)
    ranks = np.argsort(np.argsort(traits.labels))
    assert all(np.ptp(ranks[partition.indices(actor)]) == 9 for actor in range(10))


def test_pathological_owners_share_a_class_equally() -> None:
    traits = balanced(10_000, 10)
    counts = label_counts(traits, split(Pathological(2), traits, 50))
    for owned in counts.T:
        assert np.ptp(owned[owned > 0]) <= 1


def test_deterministic_pathological_classes_follow_the_actor() -> None:
    traits = balanced(1000, 5)
    counts = label_counts(traits, split(Pathological(2, "deterministic"), traits, 10))
    for actor, row in enumerate(counts):
        assert set(np.flatnonzero(row)) == {actor % 5, (actor + 1) % 5}


def test_first_deterministic_pathological_classes_begin_with_the_class_of_the_actor() -> None:
    traits = balanced(1000, 5)
    counts = label_counts(traits, split(Pathological(3, "first-deterministic"), traits, 4))
    assert all(counts[actor, actor % 5] > 0 for actor in range(4))
    assert np.all(counts.sum(axis=0) > 0)


def test_a_rare_class_has_no_more_owners_than_rows() -> None:
    labels = np.repeat([0, 1, 2], [500, 497, 3])
    counts = label_counts(
        Traits(labels, np.arange(3)), split(Pathological(2), Traits(labels, np.arange(3)), 40)
    )
    assert np.sum(counts[:, 2] > 0) <= 3
    assert np.all(np.sum(counts > 0, axis=1) == 2)


def test_a_class_without_rows_counts_for_nothing() -> None:
    traits = Traits(np.repeat([0, 3], 10), np.array(["a", "b", "c", "d"]))
    assert split(Pathological(2), traits, 4).sizes.tolist() == [6, 6, 4, 4]
    assert split(Orthogonal(), traits, 2).sizes.tolist() == [10, 10]


def test_orthogonal_actors_have_equally_many_classes() -> None:
    traits = balanced(1000, 10)
    counts = label_counts(traits, split(Orthogonal(), traits, 3))
    assert sorted(np.sum(counts > 0, axis=1)) == [3, 3, 4]
    assert np.all(np.sum(counts > 0, axis=0) == 1)


def test_distribution_meets_counts_exactly_and_shares_nearly() -> None:
    traits = balanced(300, 3)
    counts = [[100.0, 0.0, 0.0], [10.0, 20.0, 70.0], [33.0, 33.0, 34.0]]
    assert label_counts(traits, split(Distribution(counts), traits, 3)).T.tolist() == counts
    thirds = label_counts(traits, split(Distribution([[1.0, 2.0]] * 3), traits, 2))
    assert np.abs(thirds - [[100 / 3] * 3, [200 / 3] * 3]).max() < 1


def test_mixed_has_iid_actors_first_and_skewed_actors_after() -> None:
    traits = balanced(10_000, 10)
    partition = split(Mixed(0.5, 0.05), traits, 10)
    counts = label_counts(traits, partition)
    assert partition.sizes[:5].tolist() == [1000] * 5
    assert np.abs(counts[:5] - 100).max() < 50
    assert np.median(counts[5:]) < 10


@pytest.mark.parametrize(("fraction", "equal"), [(1.0, True), (0.0, False)])
def test_mixed_reaches_from_dirichlet_to_iid(fraction: float, equal: bool) -> None:
    sizes = split(Mixed(fraction, 0.1), balanced(1000, 10), 10).sizes
    assert (np.ptp(sizes) == 0) == equal


def test_strict_continuous_parts_do_not_overlap() -> None:
    traits = Traits(np.random.default_rng(0).standard_normal(1000).astype(np.float32))
    partition = split(Continuous(1.0), traits, 10)
    parts = [traits.labels[partition.indices(actor)] for actor in range(10)]
    assert all(low.max() <= high.min() for low, high in pairwise(parts))


def test_strictness_reaches_from_iid_to_sorted() -> None:
    traits = Traits(np.random.default_rng(99).standard_normal(10_000))
    spreads = []
    for strictness in (0.0, 0.3, 0.6, 1.0):
        partition = split(Continuous(strictness), traits, 10)
        spreads.append(np.std([traits.labels[partition.indices(actor)].mean() for actor in range(10)]))
    assert spreads == sorted(spreads)
    assert spreads[0] < 0.1 < 0.9 < spreads[-1]


def test_continuous_uses_the_values_of_numeric_labels() -> None:
    traits = Traits(np.arange(100) % 4, np.array([30, -5, 200, 7]))
    partition = split(Continuous(1.0), traits, 4)
    assert [int(traits.labels[partition.indices(actor)[0]]) for actor in range(4)] == [1, 3, 0, 2]


@pytest.mark.parametrize(
    ("strategy", "units"),
    [
        (Linear(), np.arange(1.0, 6)),
        (Square(), np.arange(1.0, 6) ** 2),
        (Exponential(), np.exp(np.arange(1.0, 6))),
    ],
)
def test_growing_sizes_follow_their_formula(strategy: PartitionStrategy, units: NDArray[np.float64]) -> None:
    expected = np.floor(units / units.sum() * 1797).astype(int)
    expected[-1] += 1797 - expected.sum()
    assert split(strategy, balanced(1797, 10), 5).sizes.tolist() == expected.tolist()


def test_exponential_sizes_of_many_actors_do_not_overflow() -> None:
    sizes = split(Exponential(min_size=3), balanced(10_000, 10), 2000).sizes
    assert sizes.min() == 3
    assert sizes[-1] == sizes.max() > 100


def test_log_normal_sizes_have_their_deviation() -> None:
    sizes = split(Quantity("lognormal", sigma=0.8), balanced(200_000, 10), 1000).sizes
    assert np.log(sizes).std() == pytest.approx(0.8, rel=0.1)


def test_power_law_sizes_fall_by_their_exponent() -> None:
    sizes = split(Quantity("powerlaw", exponent=1.5), balanced(100_000, 10), 20).sizes
    slope = np.polyfit(np.log(np.arange(1, 21)), np.log(sizes), 1)[0]
    assert slope == pytest.approx(-1.5, abs=0.01)


def test_sizes_may_be_counts_or_proportions() -> None:
    traits = balanced(100, 5)
    assert split(Sizes(counts=[10, 70, 20]), traits, 3).sizes.tolist() == [10, 70, 20]
    assert split(Sizes(proportions=[1, 7, 2]), traits, 3).sizes.tolist() == [10, 70, 20]


def test_size_strategies_keep_the_label_distribution() -> None:
    traits = balanced(10_000, 10)
    counts = label_counts(traits, split(Linear(), traits, 4))
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert np.abs(shares - 0.1).max() < 0.05


def test_groups_are_actors_or_are_merged() -> None:
    groups = np.array(["c", "a", "b", "a", "a", "d", "d"])
    traits = Traits(np.arange(7) % 2, np.arange(2), groups)
    strict = split(Group("strict"), traits, 4)
    assert [groups[strict.indices(actor)[0]] for actor in range(4)] == ["a", "b", "c", "d"]
    merged = split(Group("contiguous"), traits, 2)
    assert [set(groups[merged.indices(actor)]) for actor in range(2)] == [{"a", "b"}, {"c", "d"}]
    assert split(Group("balanced"), traits, 2).sizes.tolist() == [4, 3]
