"""The configuration: every preset composes, and what is wrong is named before anything runs."""

from pathlib import Path
from typing import Any

import pytest

from fedlocal.config.build import build
from fedlocal.config.compose import compose, conf_folder, with_actors
from fedlocal.config.schema import GROUPS, ConfigError
from fedlocal.config.validation import check
from fedlocal.seeds import Stream, generator

PRESETS = {group: sorted(path.stem for path in (conf_folder() / group).glob("*.yaml")) for group in GROUPS}
NEEDS = {
    "npz": ["dataset.path=data.npz"],
    "trace": ["availability.path=trace.csv"],
    "csv": ["dataset.path=mine.csv", "dataset.target=y"],
    "openml": ["dataset.name=iris"],
    "huggingface": ["dataset.path=mine"],
    "flower_datasets": ["partition.partitioner._target_=fedlocal.partitions.Iid"],
    "sizes": ["partition.proportions=[1,1,1,1]"],
    "app": ["client.reference=mine:app"],
    "distribution": ["partition.proportions=[[0.5,0.5],[0.5,0.5]]"],
}


@pytest.mark.parametrize("number", range(max(map(len, PRESETS.values()))))
def test_every_option_of_every_group_is_valid(number: int) -> None:
    options = {group: values[number] for group, values in PRESETS.items() if number < len(values)}
    needed = [override for option in options.values() for override in NEEDS.get(option, [])]
    check(compose(*(f"{group}={option}" for group, option in options.items()), *needed))


def test_targets_within_a_group_are_checked_as_well() -> None:
    with pytest.raises(
        ConfigError, match=r"partition.partitioner._target_: must be given, as partition.part"
    ):
        check(compose("partition=flower_datasets"))
    wrong = [
        "partition.partitioner._target_=fedlocal.partitions.Sizes",
        "+partition.partitioner.counts=3",
    ]
    with pytest.raises(ConfigError) as refused:
        check(compose("partition=flower_datasets", *wrong, "+partition.partitioner.alpha=1"))
    counts, alpha = str(refused.value).splitlines()
    assert counts == "partition.partitioner.counts=3: must be a list or must be null"
    assert alpha == "partition.partitioner.alpha: fedlocal.partitions.Sizes has no such parameter"


@pytest.mark.parametrize(
    "preset", sorted(path.stem for path in (conf_folder() / "experiment").glob("*.yaml"))
)
def test_every_preset_is_valid(preset: str) -> None:
    check(compose(f"experiment={preset}"))


def test_the_groups_lie_where_they_are_read() -> None:
    assert (conf_folder() / "config.yaml").is_file()
    assert Path(__file__).parents[2] / "conf" == conf_folder() or conf_folder().parent.name == "fedlocal"


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("roundz=3", "roundz"),
        ("partition.alhpa=1", "alhpa"),
        ("partition=dirichlett", "dirichlett"),
        ("rounds=many", "many"),
        ("seed=1.5", "1.5"),
        ("actors=2.5", "2.5"),
        ("baseline=perhaps", "perhaps"),
        ("display=loud", "loud"),
        ("optimizer_state=forget", "forget"),
    ],
)
def test_an_option_that_does_not_exist_or_has_a_wrong_type_is_refused_by_name(
    override: str, named: str
) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        compose(override)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("actors=0", "actors=0: must be a number of at least 1, or auto"),
        ("actors=automatic", "actors=automatic: must be a number of at least 1, or auto"),
        ("rounds=-1", "rounds=-1: must be at least 1"),
        ("seed=-1", "seed=-1: must be at least 0"),
        ("workers=0", "workers=0: must be a number of at least 1, or auto"),
        ("workers=some", "workers=some: must be a number"),
        ("min_results=9", "min_results=9: must be from 0 to actors=4"),
        ("round_timeout=0", "round_timeout=0.0: must be above 0 seconds, or null"),
        ("checkpoint_every=-1", "checkpoint_every=-1: must be at least 0; 0 or null: never"),
        ("validation_fraction=1", "validation_fraction=1.0: must be at least 0 and below 1"),
        ("model.learning_rate=fast", "model.learning_rate=fast: must be a number"),
        ("model.learning_rate=nan", "model.learning_rate=nan: must be a number"),
        ("model.hidden=512", "model.hidden=512: must be a list"),
        ("model.hidden=[512,wide]", r"model.hidden=\[512, 'wide'\]"),
        ("model.activation=gelu", "model.activation=gelu: must be one of relu, tanh"),
        ("strategy.fraction_train=1.5", "strategy.fraction_train=1.5: must be above 0 and at most 1"),
        ("strategy.fraction_train=0", "strategy.fraction_train=0: must be above 0"),
        ("strategy.min_train_nodes=0", "strategy.min_train_nodes=0: must be at least 1"),
        ("strategy.min_available_nodes=5", "strategy.min_available_nodes=5: must be at most actors=4"),
        (
            "backend.start_method=fork",
            "backend.start_method=fork: must be one of forkserver, spawn or must be null",
        ),
        ("+strategy.pizza=1", "strategy.pizza: fedlocal.strategies.FedAvg has no such parameter"),
        ("model._target_=fedlocal.models.Nothing", "model._target_=fedlocal.models.Nothing"),
    ],
)
def test_an_impossible_value_is_refused_with_the_values_expected(override: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        check(compose(override))


def test_a_number_of_actors_can_be_left_open_with_whatever_depends_on_it() -> None:
    left_open = compose("actors=auto", "min_results=3", "strategy.min_train_nodes=3", "scheme=batch_parallel")
    check(left_open)
    assert left_open.actors == "auto"
    settled = with_actors(left_open, 6)
    assert (settled.actors, settled.accumulate) == (6, 6)
    assert left_open.actors == "auto"


def test_an_option_without_a_default_must_be_given() -> None:
    with pytest.raises(ConfigError, match=r"dataset\.path: must be given, as dataset\.path=…"):
        check(compose("dataset=npz"))


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        check(compose("actors=0", "batch_size=0", "model.momentum=high"))
    named = {line.split("=")[0] for line in str(caught.value).splitlines()}
    assert named == {"actors", "batch_size", "model.momentum"}


class Free:
    """A target that takes whatever it is given, as subclasses of strategies do."""

    def __init__(self, **options: Any) -> None:
        self.options = options


def test_a_target_may_take_any_option() -> None:
    config = compose("strategy._target_=tests.config.test_validation.Free")
    check(config)
    assert build(config, "strategy").options["fraction_train"] == 1.0


def test_a_refusal_of_another_library_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"strategy: .*beta"):
        build(compose("strategy=fedtrimmedavg", "strategy.beta=0.6"), "strategy")


def test_a_reference_to_a_value_that_its_group_lacks_is_named() -> None:
    with pytest.raises(ConfigError, match=r"strategy\.client_learning_rate: give a value, as .*model\.l"):
        check(compose("strategy=qfedavg", "model=sgd_classifier"))


def test_a_refusal_of_a_target_names_its_group() -> None:
    with pytest.raises(ValueError, match="alpha") as caught:
        build(compose("partition=dirichlet", "partition.alpha=0"), "partition")
    assert "while building partition" in caught.value.__notes__[0]


def _draws(*key: Any) -> list[int]:
    return list(generator(*key).integers(1000, size=5))


def test_streams_are_independent_and_repeatable() -> None:
    keys = [
        (0, Stream.BATCHES, 0, 0),
        (1, Stream.BATCHES, 0, 0),
        (0, Stream.SKEW, 0, 0),
        (0, Stream.BATCHES, 1, 0),
    ]
    keys.append((0, Stream.BATCHES, 0, 1))
    assert len({tuple(_draws(*key)) for key in keys}) == len(keys)
    assert all(_draws(*key) == _draws(*key) for key in keys)
