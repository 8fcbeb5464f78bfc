"""A run leaves behind what was promised, also when it fails."""

import csv
import gc
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from fedlocal import History, compose, run
from fedlocal.actors import usable_cores
from fedlocal.config.schema import ConfigError
from fedlocal.data import DataError, PartitionError
from fedlocal.data.shards import Shards
from fedlocal.experiment.model_saving import DivergedError
from fedlocal.flower.server.round_loop import QuorumError
from fedlocal.results import TIMED, load_arrays, weights_hash
from fedlocal.schemes import Setting

pytestmark = pytest.mark.usefixtures("no_leaks")

SMALL = [
    "dataset=synthetic",
    "dataset.train=200",
    "dataset.test=50",
    "dataset.shape=[4,4]",
    "rounds=3",
    "display=off",
]
TINY_MODEL = ["model.hidden=[8]"]
INLINE = "backend=inline"


def small(*overrides: str) -> Any:
    return compose(*SMALL, *TINY_MODEL, *overrides)


def test_a_run_writes_its_results(tmp_path: Path) -> None:
    outcome = run(small(), tmp_path, ["actors=4"])
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["status"] == "completed"
    assert summary["overrides"] == ["actors=4"]
    assert summary["hash"] == weights_hash(load_arrays(tmp_path / "model.npz")) == outcome.hashes["federated"]
    assert OmegaConf.load(tmp_path / "config.yaml").actors == 4
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert {"versions", "cores", "libraries", "threads", "workers"} <= set(environment)
    for figure in ("learning_curves.png", "partition.png"):
        assert (tmp_path / figure).read_bytes().startswith(b"\x89PNG")
    assert History.load(tmp_path).final("accuracy") == outcome.histories["federated"].final("accuracy")


def test_a_run_shows_itself(tmp_path: Path) -> None:
    shown = run(small("rounds=1", "baseline=false"), tmp_path)
    assert f"weights {shown.hashes['federated'][:16]}\nresults {tmp_path}" in repr(shown)
    assert "<table>" in shown._repr_html_()


def test_the_metrics_are_tidy(tmp_path: Path) -> None:
    run(small(INLINE, "baseline=false"), tmp_path)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"round", "phase", "actor", "metric", "value"}
    assert all(np.isfinite(float(row["value"])) for row in rows)
    accuracies = [row["round"] for row in rows if (row["phase"], row["metric"]) == ("evaluate", "accuracy")]
    assert accuracies == ["0", "1", "2", "3"]
    trained = {(row["round"], row["actor"]) for row in rows if row["metric"] == "num-examples"}
    assert trained == {(str(number), str(actor)) for number in (1, 2, 3) for actor in range(4)}


def test_the_spans_of_a_round_follow_one_another(tmp_path: Path) -> None:
    outcome = run(small("baseline=false", "workers=2"))
    assert outcome.folder is None
    for round_ in outcome.histories["federated"].rounds[1:]:
        assert all(round_.seconds[span] >= 0 for span in TIMED)
        whole = sum(round_.seconds[span] for span in TIMED)
        assert round_.seconds["busy"] + round_.seconds["idle"] == pytest.approx(2 * whole)
        for measured in round_.actors.values():
            assert 0 <= measured["started"] <= measured["started"] + measured["seconds"] <= whole


def test_baselines_take_turns_and_are_compared(tmp_path: Path) -> None:
    outcome = run(small(), tmp_path)
    threads = sorted({1, usable_cores()})
    names = ["federated", *(f"sequential, {count} thread{'s' * (count > 1)}" for count in threads)]
    assert [arm.name for arm in outcome.arms] == names
    main, *baselines = outcome.arms
    assert main.speed_up is None
    for arm in baselines:
        assert arm.speed_up == pytest.approx(arm.seconds / main.seconds)
        assert [round_.number for round_ in outcome.histories[arm.name].rounds] == [0, 1, 2, 3]
        assert (tmp_path / arm.name.replace(", ", "-").replace(" ", "-") / "metrics.csv").exists()


def test_evaluation_can_be_rarer_and_always_comes_at_the_end() -> None:
    outcome = run(small(INLINE, "baseline=false", "rounds=5", "evaluate_every=2"))
    assert outcome.histories["federated"].series("accuracy")[0] == [0, 2, 4, 5]


def test_clients_evaluate_on_rows_that_they_hold_out() -> None:
    config = small(INLINE, "strategy.fraction_evaluate=1.0", "validation_fraction=0.5", "baseline=false")
    last = run(config).histories["federated"].rounds[-1]
    assert "client-accuracy" in last.metrics
    assert all(measured["num-examples"] == 25 for measured in last.actors.values())
    assert all("client-accuracy" in measured for measured in last.actors.values())


def test_clients_that_hold_nothing_out_have_no_say_in_the_evaluation() -> None:
    sizes = ["partition=sizes", "partition.counts=[197,1,1,1]", "strategy.fraction_evaluate=1.0"]
    last = run(small(INLINE, "baseline=false", *sizes)).histories["federated"].rounds[-1]
    assert np.isfinite(last.metrics["client-loss"])
    nobody = run(small(INLINE, "baseline=false", "dataset.train=4", "dataset.classes=2", sizes[2]))
    assert "client-loss" not in nobody.histories["federated"].rounds[-1].metrics


def test_runs_in_several_threads_take_turns_and_leave_the_process_as_it_was() -> None:
    before, main = dict(os.environ), sys.modules["__main__"]
    hashes: list[str] = []

    def run_small() -> None:
        hashes.extend(run(small("baseline=false", "rounds=1")).hashes.values())

    threads = [threading.Thread(target=run_small) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hashes) == 3
    assert len(set(hashes)) == 1
    assert dict(os.environ) == before
    assert sys.modules["__main__"] is main


def test_local_models_are_saved_one_by_one(tmp_path: Path) -> None:
    outcome = run(small(INLINE, "scheme=local", "actors=3", "baseline=false"), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == [
        "actor-0.npz",
        "actor-1.npz",
        "actor-2.npz",
    ]
    last = outcome.histories["local"].rounds[-1]
    assert last.metrics["accuracy"] == pytest.approx(
        np.mean([last.actors[actor]["accuracy"] for actor in range(3)])
    )


def test_real_targets_are_learnt(tmp_path: Path) -> None:
    config = compose(
        *SMALL, "dataset.task=regression", "model=paper", "model.hidden=[8]", INLINE, "rounds=10"
    )
    outcome = run(config, tmp_path)
    _, losses = outcome.histories["federated"].series("loss")
    assert losses[-1] < losses[0]
    assert outcome.arms[0].accuracy is None
    assert (tmp_path / "partition.png").exists()


def test_the_regressors_preset_learns_targets_of_any_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 5))
    np.savez(tmp_path / "mine.npz", x=x, y=(1000 + 200 * x[:, 0]).astype(int))
    data = ("dataset=npz", f"dataset.path={tmp_path}/mine.npz", "dataset.task=regression")
    outcome = run(compose(*data, "model=regressor", "rounds=10", "display=off", "baseline=false", INLINE))
    assert outcome.arms[0].rmse is not None
    assert outcome.arms[0].rmse < 100


@pytest.mark.parametrize(
    ("y", "note"),
    [
        (np.arange(40) % 3, "targets are whole numbers, taken as 3 classes; dataset.task=regression"),
        (np.linspace(900, 1000, 40), "targets are taken as real values; dataset.task=classification"),
        (np.linspace(900, 1000, 40), "targets are scaled to deviation 1 for training"),
        (np.array(["a", "b"] * 20), ""),
    ],
)
def test_a_run_says_which_task_it_took_the_targets_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], y: Any, note: str
) -> None:
    np.savez(tmp_path / "mine.npz", x=np.eye(40), y=y)
    model = "regressor" if y.dtype.kind == "f" else "mlp"
    data = ("dataset=npz", f"dataset.path={tmp_path}/mine.npz", f"model={model}", "model.hidden=[4]")
    run(compose(*data, "rounds=1", "display=plain", "baseline=false", INLINE))
    said = capsys.readouterr().err
    assert note in said
    assert bool(note) == ("targets are" in said)


def test_a_rate_for_classes_is_named_where_targets_are_real(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "mine.npz", x=np.eye(40), y=np.linspace(900, 1000, 40))
    model = ("model=paper", "model.hidden=[4]", "model.learning_rate=0.1")
    data = ("dataset=npz", f"dataset.path={tmp_path}/mine.npz")
    run(compose(*data, *model, "rounds=1", "display=plain", "baseline=false", INLINE))
    said = "model.learning_rate=0.1 is made for classes; if training diverges, take model=regressor"
    assert said in capsys.readouterr().err


def test_data_that_do_not_fit_into_memory_are_one_line() -> None:
    with pytest.raises(DataError, match="dataset: does not fit into memory"):
        run(small(INLINE, "dataset.train=10000000000000"))


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(path.stem, marks=pytest.mark.slow) if path.stem in ("bulyan", "qfedavg") else path.stem
        for path in sorted(Path("conf/strategy").glob("*.yaml"))
    ],
)
def test_every_strategy_learns(strategy: str) -> None:
    config = compose("rounds=4", "baseline=false", "display=off", INLINE, f"strategy={strategy}")
    rounds, accuracies = run(config).histories["federated"].series("accuracy")
    assert rounds[-1] == 4
    assert accuracies[-1] > 0.5


def test_a_run_keeps_nothing_of_its_data_until_a_garbage_collection() -> None:
    def alive() -> set[int]:
        return {id(thing) for thing in gc.get_objects() if type(thing) in (Setting, Shards)}

    gc.collect()
    gc.disable()
    try:
        before = alive()  # what other runs of this process left
        run(compose("rounds=1", "baseline=false", "display=off", INLINE))
        kept = alive() - before
    finally:
        gc.enable()
    assert not kept


def test_a_strategy_cannot_hang_on_one_actor() -> None:
    assert run(small(INLINE, "actors=1", "baseline=false")).arms[0].accuracy is not None


@pytest.mark.parametrize(
    ("overrides", "error", "reason"),
    [
        (["actors=0"], ConfigError, "actors=0"),
        (["actors=500"], PartitionError, "500"),
        (["partition=group"], PartitionError, "group"),
        (["skew=rotation", "dataset.shape=[16]"], ValueError, "image"),
        (["model.hidden=[0]"], ValueError, "hidden"),
        (["dataset.task=regression"], ValueError, "real values"),
        (["model.learning_rate=1e30", "model.loss=cross_entropy"], QuorumError, "smaller learning rate"),
        (["strategy=fedprox", "model=sgd_classifier"], QuorumError, "strategy"),
        (
            ["actors=1", "~strategy.min_available_nodes"],
            ConfigError,
            "min_available_nodes=2: must be at most",
        ),
        (["strategy.fraction_train=0.5", "min_results=4"], QuorumError, "4 must reply"),
        (["strategy=multikrum", "strategy.num_nodes_to_select=0"], QuorumError, "MultiKrum gave"),
        (["scheme=sequential", "model.learning_rate=1e6"], DivergedError, "smaller learning rate"),
    ],
)
@pytest.mark.parametrize("backend", ["inline", "actors"])
def test_an_impossible_run_ends_with_the_reason(
    backend: str, overrides: list[str], error: Any, reason: str
) -> None:
    narrow = [] if any(override.startswith("model=") for override in overrides) else TINY_MODEL
    with pytest.raises(error, match=reason):
        run(compose(*SMALL, *narrow, *overrides, f"backend={backend}"))


def test_a_run_that_fails_keeps_its_files(tmp_path: Path) -> None:
    with pytest.raises(QuorumError):
        run(small(INLINE, "model.learning_rate=1e30"), tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert summary["error"].startswith("QuorumError: round 1")
    assert (tmp_path / "metrics.csv").read_text().count("\n") > 1
    assert (tmp_path / "partition.png").exists()
    assert not (tmp_path / "model.npz").exists()


def test_data_that_are_not_there_say_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.npz"):
        run(compose("dataset=npz", f"dataset.path={tmp_path}/absent.npz", "display=off"))


def test_clients_that_do_not_reply_in_time_have_failed() -> None:
    long = "local_epochs=5000"
    with pytest.raises(QuorumError, match=r"4 of 4 clients failed.* client 0: no reply within 1e-06 s"):
        run(small("round_timeout=1e-6", long))


def test_limits_of_workers_are_checked_before_anything_is_loaded() -> None:
    with pytest.raises(ConfigError, match="backend: deadline must be above 0"):
        run(compose("backend.deadline=-1", "dataset=npz", "dataset.path=missing.npz"))
