"""Contract 14: whatever a strategy draws, one seed gives one hash."""

import random
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import MetricRecord, RecordDict
from omegaconf import OmegaConf

from fedlocal import Config, compose, resume, run
from fedlocal.actors import InlineSystem
from fedlocal.experiment.groups import build_groups
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.node.client_runner import InlineClientActors
from fedlocal.flower.server.round_loop import RoundLoop
from fedlocal.strategies.fedavg import FedAvg
from tests.flower.apps import start
from tests.flower.server.test_round_loop import INITIAL, Everything

SMALL = [
    "dataset=synthetic",
    "dataset.train=200",
    "dataset.test=50",
    "dataset.shape=[4,4]",
    "model.hidden=[8]",
    "actors=4",
    "rounds=4",
    "baseline=false",
    "display=off",
    "report=false",
]
INNER = {"_target_": "fedlocal.strategies.FedAvg", "fraction_train": 0.5, "fraction_evaluate": 0.0}
FEW = {"min_train_nodes": 1, "min_evaluate_nodes": 0, "min_available_nodes": 1}
PRIVATE = "flwr.serverapp.strategy.DifferentialPrivacyServerSide{}Clipping"
FIXED = {"_target_": PRIVATE.format("Fixed"), "clipping_norm": 0.5, "noise_multiplier": 0.1}
ADAPTIVE = {"_target_": PRIVATE.format("Adaptive"), "noise_multiplier": 0.1}


def config_of(strategy: dict[str, Any], *overrides: str) -> Config:
    config = compose(*SMALL, *overrides)
    inner = {**INNER, **FEW, **strategy.get("strategy", {})}
    config.strategy = OmegaConf.create({"num_sampled_clients": 2, **strategy, "strategy": inner})
    return config


def final_hash(config: Config, folder: Path | None = None) -> str:
    (hash_,) = run(config, folder).hashes.values()
    return hash_


@pytest.mark.parametrize("strategy", [FIXED, ADAPTIVE])
def test_noise_has_the_same_bits_whatever_runs_the_clients(strategy: dict[str, Any]) -> None:
    np.random.seed(1)  # noqa: NPY002
    first = final_hash(config_of(strategy, "backend=inline"))
    np.random.seed(2)  # noqa: NPY002
    places = (["backend=inline"], ["workers=1"], ["workers=2"])
    assert {final_hash(config_of(strategy, *where)) for where in places} == {first}
    assert final_hash(config_of(strategy, "backend=inline", "seed=1")) != first
    assert final_hash(config_of({**strategy, "noise_multiplier": 0.0}, "backend=inline")) != first


@pytest.mark.parametrize("strategy", [FIXED, ADAPTIVE])
def test_a_resumed_run_goes_on_with_the_same_noise(strategy: dict[str, Any], tmp_path: Path) -> None:
    whole = final_hash(config_of(strategy, "backend=inline"))
    final_hash(config_of(strategy, "backend=inline", "rounds=2"), tmp_path)
    assert set(resume(tmp_path, "rounds=4").hashes.values()) == {whole}


class Drawing(FedAvg):
    """Draws in all that it does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.drawn: list[tuple[float, float]] = []

    def draw(self) -> None:
        self.drawn.append((random.random(), np.random.random()))  # noqa: NPY002

    def configure_train(self, *args: Any) -> Any:
        self.draw()
        return super().configure_train(*args)

    def aggregate_train(self, *args: Any) -> Any:
        self.draw()
        return super().aggregate_train(*args)

    def configure_evaluate(self, *args: Any) -> Any:
        self.draw()
        return super().configure_evaluate(*args)

    def aggregate_evaluate(self, *args: Any) -> MetricRecord | None:
        self.draw()
        return super().aggregate_evaluate(*args)


def test_what_a_strategy_draws_when_it_is_built_is_seeded() -> None:
    def drawn(*overrides: str) -> list[tuple[float, float]]:
        config = compose(*SMALL, "backend=inline", *overrides)
        config.strategy = OmegaConf.create({"_target_": f"{__name__}.DrawingAtOnce", **FEW})
        strategy: DrawingAtOnce = build_groups(config).strategy
        return strategy.drawn

    assert drawn() == drawn() != drawn("seed=1")


class DrawingAtOnce(Drawing):
    """Draws also when it is built."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.draw()


def test_each_step_of_a_strategy_in_each_round_has_numbers_of_its_own() -> None:
    def drawn(seed: int, after: int = 0) -> list[tuple[float, float]]:
        strategy = Drawing(**FEW | {"min_evaluate_nodes": 1})
        before = random.getstate(), np.random.random()  # noqa: NPY002
        with quiet(), LocalGrid(InlineSystem(partial(InlineClientActors, start)), [1.0] * 4) as grid:
            list(RoundLoop(strategy, 3, seed, lambda *_: {}, Everything()).run(grid, INITIAL, after))
        assert random.getstate() == before[0]
        return strategy.drawn

    first = drawn(1)
    assert len(set(first)) == len(first) == 4 * 3
    assert drawn(1) == first
    assert drawn(1, after=1) == first[4:]
    assert not set(drawn(2)) & set(first)


class DrawingMetrics(FedAvg):
    """Draws in what is done with metrics alone, so that its mean is taken while others train."""

    def aggregate_metrics(self, contents: list[RecordDict]) -> MetricRecord:
        return MetricRecord({"drawn": random.random()})


def test_what_is_drawn_for_the_metrics_of_a_streamed_mean_is_seeded() -> None:
    def drawn() -> list[float]:
        strategy = DrawingMetrics(min_train_nodes=1, min_evaluate_nodes=1, min_available_nodes=1)
        with quiet(), LocalGrid(InlineSystem(partial(InlineClientActors, start)), [1.0] * 4) as grid:
            rounds = list(RoundLoop(strategy, 2, 1, lambda *_: {}, Everything()).run(grid, INITIAL))
        assert all(round_.averaging for round_ in rounds[1:])
        return [round_.train_metrics["drawn"] for round_ in rounds[1:]]

    first = drawn()
    assert len(set(first)) == 2
    assert drawn() == first
