"""Contract 2: one configuration and seed give one hash, whatever runs it."""

import numpy as np
import pytest

from fedlocal import Run, compose, run
from fedlocal.results import weights_hash

SMALL = [
    "dataset=synthetic",
    "dataset.train=403",
    "dataset.test=100",
    "dataset.shape=[6,6]",
    "actors=5",
    "rounds=3",
    "partition=dirichlet",
    "baseline=false",
    "display=off",
    "figures=false",
]


def trained(*overrides: str) -> Run:
    narrow = [] if any(override.startswith("model=") for override in overrides) else ["model.hidden=[17,8]"]
    return run(compose(*SMALL, *narrow, *overrides))


def final_hash(*overrides: str) -> str:
    (hash_,) = trained(*overrides).hashes.values()
    return hash_


SETTINGS = [
    [],
    ["local_epochs=2", "model.momentum=0.9", "optimizer_state=keep"],
    ["accumulate=3", "model.weight_decay=0.01"],
    ["skew=noise", "strategy.fraction_train=0.5", "strategy.fraction_evaluate=0.6"],
    ["skew=rotation", "strategy=fedprox", "partition=quantity"],
    ["strategy=fedadam", "model=paper", "model.hidden=[9]"],
    pytest.param(["model=sgd_classifier"], marks=pytest.mark.slow),
    pytest.param(["model=mlp_classifier"], marks=pytest.mark.slow),
    ["scheme=local"],
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: " ".join(setting) or "default")
def test_backends_and_numbers_of_workers_give_the_same_bits(setting: list[str]) -> None:
    hashes = {
        final_hash(*setting, *where)
        for where in (["backend=inline"], ["backend=actors", "workers=1"], ["backend=actors", "workers=3"])
    }
    assert len(hashes) == 1


SINGLE_ACTOR = ["actors=1", "partition=iid"]


@pytest.mark.parametrize(
    "setting",
    [
        [],
        ["accumulate=4"],
        ["model.momentum=0.9"],
        ["model.momentum=0.9", "optimizer_state=keep"],
        ["model.weight_decay=0.01", "model.activation=tanh"],
        ["skew=noise"],
        ["partition=shards"],
        pytest.param(["model=sgd_classifier"], marks=pytest.mark.slow),
        pytest.param(["model=sgd_classifier", "optimizer_state=keep"], marks=pytest.mark.slow),
        pytest.param(["model=mlp_classifier", "optimizer_state=keep"], marks=pytest.mark.slow),
    ],
    ids=lambda setting: " ".join(setting) or "default",
)
def test_one_actor_is_the_sequential_scheme(setting: list[str]) -> None:
    hashes = {
        final_hash(*SINGLE_ACTOR, *setting, *how)
        for how in (["backend=inline"], ["backend=actors"], ["scheme=sequential"], ["scheme=local"])
    }
    assert len(hashes) == 1


def test_the_baseline_has_the_bits_of_the_sequential_scheme() -> None:
    both = trained("baseline=true", "backend=inline")
    alone = trained("scheme=sequential")
    assert both.hashes["sequential, 1 thread"] == alone.hashes["sequential"]


def test_other_seeds_and_settings_give_other_bits() -> None:
    hashes = [
        final_hash("backend=inline", *other) for other in ([], ["seed=1"], ["accumulate=2"], ["rounds=2"])
    ]
    assert len(set(hashes)) == len(hashes)


def test_the_hash_is_that_of_the_arrays() -> None:
    outcome = trained("backend=inline")
    assert outcome.hashes == {"federated": weights_hash(outcome.models["model"])}


def test_each_actor_of_the_local_scheme_has_its_own_model() -> None:
    outcome = trained("scheme=local", "backend=inline")
    assert sorted(outcome.models) == [f"actor-{actor}" for actor in range(5)]
    first, second = (outcome.models[f"actor-{actor}"]["layer0.weight"] for actor in (0, 1))
    assert not np.array_equal(first, second)
