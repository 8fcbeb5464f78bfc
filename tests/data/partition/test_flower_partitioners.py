"""Every partitioner of Flower Datasets is a strategy; what breaks a promise is refused by its name."""

import importlib
from functools import partial
from typing import Any

import numpy as np
import pytest

from fedlocal.config.compose import compose
from fedlocal.config.validation import check
from fedlocal.data import PartitionError
from fedlocal.data.partition import Partition, Traits
from fedlocal.experiment.run import run
from fedlocal.partitions import FlowerDatasets

pytestmark = [pytest.mark.extras, pytest.mark.filterwarnings("ignore")]

N, K = 600, 6
LABELS = np.arange(N) // (N // K)  # sorted, as files often are
GROUPS = np.array([f"person {row % 5}" for row in range(N)])
TRAITS = Traits(LABELS, np.arange(K), GROUPS)


@pytest.fixture(scope="module")
def theirs() -> Any:
    try:
        datasets = importlib.import_module("datasets")
        module = importlib.import_module("flwr_datasets.partitioner")
    except ImportError:
        pytest.skip("flwr-datasets is not installed: pip install -e '.[test-extras]'")
    datasets.disable_progress_bars()
    return module


def divided(strategy: FlowerDatasets, actors: int = 4, seed: int = 0) -> Partition:
    return strategy(TRAITS, actors, np.random.default_rng(seed))


THREE: dict[str, Any] = {"num_classes_per_partition": 3, "class_assignment_mode": "deterministic"}

PARTITIONERS: dict[str, dict[str, Any]] = {
    "IidPartitioner": {},
    "LinearPartitioner": {},
    "SquarePartitioner": {},
    "ExponentialPartitioner": {},
    "SizePartitioner": {"partition_sizes": [100, 200, 200, 100]},
    "DirichletPartitioner": {"alpha": 0.3},
    "InnerDirichletPartitioner": {"partition_sizes": [150] * 4, "alpha": 0.5},
    "PathologicalPartitioner": {**THREE},
    "ShardPartitioner": {"num_shards_per_partition": 2},
    "ContinuousPartitioner": {"strictness": 0.5},
    "NaturalIdPartitioner": {"partition_by": "group"},
    "GroupedNaturalIdPartitioner": {"partition_by": "group", "group_size": 2},
}
ACTORS = {"NaturalIdPartitioner": 5, "GroupedNaturalIdPartitioner": 3}


@pytest.mark.parametrize("name", PARTITIONERS)
def test_each_partitioner_divides_all_rows_the_same_way_from_the_same_seed(theirs: Any, name: str) -> None:
    strategy, actors = (
        FlowerDatasets(partial(getattr(theirs, name), **PARTITIONERS[name])),
        ACTORS.get(name, 4),
    )
    first, again, other = (divided(strategy, actors, seed) for seed in (1, 1, 2))
    assert len(first) == actors
    assert first.sizes.sum() == N  # what a Partition is besides, it checks itself
    assert np.array_equal(first.order, again.order)
    assert np.array_equal(first.offsets, again.offsets)
    if name != "NaturalIdPartitioner":
        assert not np.array_equal(first.order, other.order)


def test_rows_are_shuffled_first_unless_shuffle_is_off(theirs: Any) -> None:
    make = partial(theirs.IidPartitioner)
    shuffled, as_they_come = (divided(FlowerDatasets(make, shuffle=choice), 6) for choice in (True, False))
    assert all(len(np.unique(LABELS[shuffled.indices(actor)])) == K for actor in range(6))
    assert as_they_come.order.tolist() == list(range(N))


def test_the_classes_of_an_actor_are_those_that_the_partitioner_gave_it(theirs: Any) -> None:
    three = partial(theirs.PathologicalPartitioner, **THREE)
    partition = divided(FlowerDatasets(three))
    assert [len(np.unique(LABELS[partition.indices(actor)])) for actor in range(4)] == [3] * 4


def test_groups_stay_together(theirs: Any) -> None:
    partition = divided(FlowerDatasets(partial(theirs.NaturalIdPartitioner, partition_by="group")), 5)
    assert [set(GROUPS[partition.indices(actor)]) for actor in range(5)] == [
        {f"person {actor}"} for actor in range(5)
    ]


def test_a_seed_that_is_set_stays(theirs: Any) -> None:
    drawn = [FlowerDatasets(partial(theirs.DirichletPartitioner, alpha=1.0, seed=7), shuffle=False)] * 2
    first, other = (divided(strategy, seed=seed) for seed, strategy in enumerate(drawn))
    assert np.array_equal(first.order, other.order)


def test_rows_in_no_partition_are_refused_or_go_to_the_smallest_partitions(theirs: Any) -> None:
    make = partial(theirs.SizePartitioner, partition_sizes=[10, 20, 30, 400])
    with pytest.raises(
        PartitionError, match=r"SizePartitioner: 140 of 600 rows are in no partition, such as row"
    ):
        divided(FlowerDatasets(make))
    dealt = divided(FlowerDatasets(make, leftover="spread"))
    assert dealt.sizes.tolist() == [67, 67, 66, 400]


class Overlapping:
    """Gives everybody all rows."""

    def __init__(self, num_partitions: int) -> None:
        self.num_partitions = num_partitions
        self.dataset: Any = None

    def load_partition(self, partition_id: int) -> Any:
        return self.dataset


@pytest.mark.parametrize(
    ("name", "options", "actors", "message"),
    [
        (
            "NaturalIdPartitioner",
            {"partition_by": "group"},
            4,
            "makes 5 partitions of these data: set actors=5",
        ),
        ("IidPartitioner", {"num_partitions": 3}, 4, "IidPartitioner makes 3 partitions .*: set actors=3"),
        ("DirichletPartitioner", {}, 4, r"lacks alpha; set \+partition.partitioner.alpha=…"),
        ("DirichletPartitioner", {"alpha": 0.1, "partition_by": "age"}, 4, r"DirichletPartitioner: .*age"),
        (
            "DirichletPartitioner",
            {"alpha": 0.1, "min_partition_size": 200},
            4,
            "DirichletPartitioner: The max",
        ),
        (
            "VerticalEvenPartitioner",
            {},
            2,
            "lacks the column 'row'; it must divide rows",
        ),
    ],
)
def test_a_division_that_breaks_a_promise_is_refused_by_the_name_of_the_partitioner(
    theirs: Any, name: str, options: dict[str, Any], actors: int, message: str
) -> None:
    with pytest.raises(PartitionError, match=message):
        divided(FlowerDatasets(partial(getattr(theirs, name), **options)), actors)


def test_rows_of_several_partitions_are_refused(theirs: Any) -> None:
    with pytest.raises(
        PartitionError, match=r"Overlapping: row 0 is in partitions \[0, 1, 2\] \(600 such rows\)"
    ):
        divided(FlowerDatasets(Overlapping), 3)


def test_an_option_that_the_partitioner_does_not_have_is_found_before_anything_runs(theirs: Any) -> None:
    target = "partition.partitioner._target_=flwr_datasets.partitioner.IidPartitioner"
    config = compose("partition=flower_datasets", target, "+partition.partitioner.alpha=1")
    with pytest.raises(
        ValueError, match=r"partition.partitioner.alpha: flwr_datasets.*has no such parameter"
    ):
        check(config)


def test_a_run_is_configured_with_a_partitioner_of_flower(theirs: Any) -> None:
    target = "partition.partitioner._target_=flwr_datasets.partitioner.DirichletPartitioner"
    options = ("actors=4", "rounds=1", "backend=inline", "baseline=false", "display=off")

    def hashes(alpha: float) -> dict[str, str]:
        divide = ("partition=flower_datasets", target, f"+partition.partitioner.alpha={alpha}")
        return run(compose("dataset=digits", *divide, *options)).hashes

    assert hashes(0.3) == hashes(0.3) != hashes(30)
