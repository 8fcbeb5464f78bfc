"""The strategies mean what Flower Datasets means by them, where it has the same partitioner."""

import importlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fedlocal.data.partition import Partition, PartitionStrategy, Traits
from fedlocal.partitions import (
    Continuous,
    Dirichlet,
    Distribution,
    Exponential,
    Group,
    InnerDirichlet,
    LabelShards,
    Linear,
    Pathological,
    Sizes,
    Square,
)

pytestmark = [pytest.mark.extras, pytest.mark.filterwarnings("ignore")]

N, K = 2000, 10
LABELS = np.random.default_rng(0).permutation(np.arange(N) % K)
Counts = NDArray[np.float64]


@pytest.fixture(scope="module")
def partitioners() -> Any:
    try:
        datasets = importlib.import_module("datasets")
        module = importlib.import_module("flwr_datasets.partitioner")
    except ImportError:
        pytest.skip("flwr-datasets is not installed: pip install -e '.[test-extras]'")
    datasets.disable_progress_bars()
    return module


def theirs(partitioner: Any, **columns: NDArray[Any]) -> list[NDArray[np.int64]]:
    datasets = importlib.import_module("datasets")
    partitioner.dataset = datasets.Dataset.from_dict({"row": np.arange(N), "label": LABELS, **columns})
    return [np.array(partitioner.load_partition(i)["row"]) for i in range(partitioner.num_partitions)]


def ours(strategy: PartitionStrategy, actors: int, seed: int = 0, **traits: Any) -> list[NDArray[np.int64]]:
    seen = Traits(**{"labels": LABELS, "classes": np.arange(K), **traits})
    partition: Partition = strategy(seen, actors, np.random.default_rng(seed))
    return [partition.indices(actor) for actor in range(actors)]


def sizes(parts: list[NDArray[np.int64]]) -> list[int]:
    return [len(part) for part in parts]


def counts(parts: list[NDArray[np.int64]]) -> Counts:
    return np.array([np.bincount(LABELS[part], minlength=K) for part in parts], np.float64)


@pytest.mark.parametrize("actors", [2, 3, 6])
@pytest.mark.parametrize("name", ["Linear", "Square", "Exponential"])
def test_growing_sizes_are_the_same(partitioners: Any, name: str, actors: int) -> None:
    mine = {"Linear": Linear(), "Square": Square(), "Exponential": Exponential()}[name]
    assert sizes(ours(mine, actors)) == sizes(theirs(getattr(partitioners, f"{name}Partitioner")(actors)))


def test_given_sizes_are_the_same(partitioners: Any) -> None:
    given = [100, 1500, 400]
    assert sizes(ours(Sizes(counts=given), 3)) == sizes(theirs(partitioners.SizePartitioner(given)))


@pytest.mark.parametrize("alpha", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("seed", range(5))
def test_dirichlet_draws_the_same_shares_from_the_same_seed(
    partitioners: Any, alpha: float, seed: int
) -> None:
    make = partitioners.DirichletPartitioner
    a = counts(theirs(make(4, "label", alpha, min_partition_size=0, seed=seed)))
    b = counts(ours(Dirichlet(alpha), 4, seed))
    assert np.abs(a - b).max() <= 1  # they round down, we round at random


@pytest.mark.parametrize("alpha", [0.5, 100.0])
def test_inner_dirichlet_has_the_same_mixtures_from_the_same_seed(partitioners: Any, alpha: float) -> None:
    given = [50] * 10  # so few that no class is exhausted
    a = counts(theirs(partitioners.InnerDirichletPartitioner(given, "label", alpha, seed=1))) / 50
    b = counts(ours(InnerDirichlet(alpha), 10, 1)) / 200
    assert np.abs(a - b).mean() < 0.06
    if alpha == 0.5:
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.8


def test_inner_dirichlet_is_as_skewed_where_classes_are_exhausted(partitioners: Any) -> None:
    def entropy(served: Any) -> float:
        shares = served / served.sum(axis=1, keepdims=True)
        return float(-(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1).mean())

    make, given = partitioners.InnerDirichletPartitioner, [200] * 10
    a = [entropy(counts(theirs(make(given, "label", 0.1, seed=seed)))) for seed in range(12)]
    b = [entropy(counts(ours(InnerDirichlet(0.1), 10, seed))) for seed in range(100, 112)]
    assert abs(np.mean(a) - np.mean(b)) < 4 * np.sqrt((np.var(a) + np.var(b)) / 12)


@pytest.mark.parametrize("mode", ["random", "deterministic", "first-deterministic"])
def test_pathological_classes_are_chosen_alike(partitioners: Any, mode: Any) -> None:
    make = partitioners.PathologicalPartitioner
    a = counts(theirs(make(20, "label", 3, class_assignment_mode=mode)))
    b = counts(ours(Pathological(3, mode), 20))
    assert np.all(np.sum(a > 0, axis=1) == 3)
    assert np.all(np.sum(b > 0, axis=1) == 3)
    if mode == "deterministic":
        assert np.array_equal(a, b)
    for of_class in (*a.T, *b.T):
        assert np.ptp(of_class[of_class > 0]) <= 1


def test_shards_are_dealt_alike(partitioners: Any) -> None:
    a = counts(theirs(partitioners.ShardPartitioner(20, "label", num_shards_per_partition=2)))
    b = counts(ours(LabelShards(2), 20))
    assert set(a.ravel()) == set(b.ravel()) == {0.0, 50.0, 100.0}
    assert a.sum(axis=1).tolist() == b.sum(axis=1).tolist()


def test_distribution_gives_the_same_rows_of_each_class(partitioners: Any) -> None:
    weights = np.random.default_rng(1).lognormal(0, 1, (K, 2))
    a = counts(theirs(partitioners.DistributionPartitioner(weights, K, 2, "label", 0)))
    table = np.zeros((K, K))
    for label in range(
        K
    ):  # Flower: partition p has classes p and p + 1; columns in ascending order of partitions
        table[label, sorted(((label - 1) % K, label))] = weights[label]
    b = counts(ours(Distribution(table.tolist()), K))
    assert np.abs(a - b).max() <= 1


@pytest.mark.parametrize("strictness", [0.0, 0.5, 1.0])
def test_continuous_parts_are_spread_alike(partitioners: Any, strictness: float) -> None:
    target = np.random.default_rng(2).standard_normal(N).astype(np.float32)
    a = theirs(partitioners.ContinuousPartitioner(5, "target", strictness), target=target)
    b = ours(Continuous(strictness), 5, labels=target, classes=None)
    means_a, means_b = ([target[part].mean() for part in parts] for parts in (a, b))
    assert np.allclose(means_a, means_b, atol=0.15)
    if strictness == 1:
        assert [sorted(part) for part in a] == [part.tolist() for part in b]


def test_natural_ids_are_the_same(partitioners: Any) -> None:
    groups = np.random.default_rng(3).integers(0, 7, N)
    a = theirs(partitioners.NaturalIdPartitioner("user"), user=groups)
    assert [sorted(part) for part in a] == [part.tolist() for part in ours(Group("strict"), 7, groups=groups)]
    bigger = partitioners.GroupedNaturalIdPartitioner("user", 2, mode="allow-bigger", sort_unique_ids=True)
    a = theirs(bigger, user=groups)
    assert [sorted(part) for part in a] == [part.tolist() for part in ours(Group(), 3, groups=groups)]
