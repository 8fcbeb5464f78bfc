"""Actors without rows, with one row, with one class: all are excused or train, none fails."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from fedlocal import Run, compose, run
from fedlocal.data import Partition

SIZES = [20, 0, 9, 1, 0]


@dataclass(frozen=True)
class Holes:
    """Contiguous parts of the sizes above."""

    def __call__(self, traits: Any, actors: int, rng: np.random.Generator) -> Partition:
        return Partition.from_owner(np.repeat(np.arange(actors), SIZES), actors)


HOLES = ["partition=iid", f"partition._target_={__name__}.Holes"]


def trained(*overrides: str) -> Run:
    return run(
        compose(
            "dataset=synthetic",
            f"dataset.train={sum(SIZES)}",
            "dataset.test=50",
            "dataset.shape=[6,6]",
            f"actors={len(SIZES)}",
            *(() if "partition=pathological" in overrides else HOLES),
            "rounds=2",
            "baseline=false",
            "display=off",
            *overrides,
        )
    )


NARROW = "model.hidden=[8]"


@pytest.mark.parametrize(
    "setting",
    [
        [NARROW],
        [NARROW, "strategy=fedmedian", "strategy.fraction_evaluate=1.0"],
        pytest.param(
            [NARROW, "strategy=qfedavg", "optimizer_state=keep", "model.momentum=0.9"], marks=pytest.mark.slow
        ),
        [NARROW, "scheme=local", "accumulate=2"],
        pytest.param(["model=sgd_classifier"], marks=pytest.mark.slow),
        pytest.param(["model=mlp_classifier"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_an_actor_without_rows_is_excused(setting: list[str]) -> None:
    here, there = (trained(*setting, where) for where in ("backend=inline", "workers=2"))
    assert here.hashes == there.hashes
    (history,) = here.histories.values()
    assert not any(round_.errors for round_ in history.rounds)
    assert all(np.isfinite(array).all() for arrays in here.models.values() for array in arrays.values())


def test_rounds_that_ask_only_actors_without_rows_keep_the_model(caplog: pytest.LogCaptureFixture) -> None:
    outcome = trained(NARROW, "strategy.fraction_train=0.2", "rounds=6", "backend=inline")
    assert "no client had anything to add, the model stays as it was" in caplog.text
    (history,) = outcome.histories.values()
    assert len(history.rounds) == 7


def test_actors_with_one_class_each_train() -> None:
    settings = ["actors=10", "partition=pathological", "partition.classes_per_actor=1", "batch_size=64"]
    assert trained(NARROW, "backend=inline", *settings).hashes
