"""A user's own client app in an experiment: it has its rows, and is judged like any client."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Context, RecordDict

import fedlocal
from fedlocal import compose, run
from fedlocal.config.schema import ConfigError
from fedlocal.flower.client.clients import _Provided
from fedlocal.flower.node.app_loading import AppError
from fedlocal.flower.server.round_loop import QuorumError
from fedlocal.results import History

OPTIONS = ("client=app", "actors=3", "rounds=2", "baseline=false", "display=off", "model.hidden=[]")


@pytest.fixture(autouse=True)
def nothing_provided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Provided, "slices", None)


@pytest.mark.parametrize("backend", [pytest.param("inline", marks=pytest.mark.slow), "actors"])
def test_a_users_client_app_trains_on_the_rows_of_its_partition(backend: str) -> None:
    reference = "client.reference=tests.flower.client.partition_app:app"
    outcome = run(compose(*OPTIONS, reference, f"backend={backend}", "partition=linear"))
    first, last = outcome.histories["federated"].rounds[1:]
    assert [measured["num-examples"] for measured in first.actors.values()] == [239, 479, 720]
    assert last.metrics["train-mean"] == first.metrics["train-mean"] > 0
    weight = outcome.models["model"]["layer0.weight"]
    start = run(compose(*OPTIONS[1:], "backend=inline", "model.learning_rate=0")).models["model"]
    assert (weight - start["layer0.weight"]).round(4).min() == 2


def test_no_two_phases_share_a_metric_whatever_an_app_calls_it(tmp_path: Path) -> None:
    reference = "client.reference=tests.flower.client.partition_app:app"
    rare = ("evaluate_every=3", "rounds=4", "backend=inline", "strategy.fraction_evaluate=1.0")
    outcome = run(compose(*OPTIONS, reference, *rare), tmp_path)
    history = outcome.histories["federated"]
    assert history.series("accuracy")[0] == [0, 3, 4]
    assert 0.999 not in history.series("accuracy")[1]
    for name, value in {"train-accuracy": 0.999, "client-accuracy": 0.001}.items():
        rounds, values = history.series(name)
        assert rounds == [1, 2, 3, 4]
        assert values == pytest.approx([value] * 4)
    assert history.series("client-eval_acc")[1] == pytest.approx([0.25] * 4)
    assert {name for name in history.rounds[1].actors[0] if "loss" in name} == {"train-loss", "client-loss"}
    assert outcome.arms[0].accuracy == history.final("accuracy")
    assert json.loads((tmp_path / "best.json").read_text())["round"] >= 3
    with (tmp_path / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["phase"] for row in rows if row["metric"] == "train-loss"} == {"train"}
    assert {row["phase"] for row in rows if row["metric"].startswith("client-")} == {"evaluate-clients"}
    evaluated = [row["round"] for row in rows if (row["phase"], row["metric"]) == ("evaluate", "loss")]
    assert evaluated == ["0", "3", "4"]
    assert History.load(tmp_path).rounds == history.rounds


def test_a_reference_to_no_client_app_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    wrong: dict[str, tuple[type[Exception], str]] = {
        "tests.flower.client.partition_app:train": (AppError, "not a ClientApp but function"),
        "nowhere:app": (AppError, "no module 'nowhere'"),
    }
    for reference, (error, reason) in wrong.items():
        with pytest.raises(error, match=reason):
            run(compose(*OPTIONS, f"client.reference={reference}", "backend=inline"))
    with pytest.raises(ConfigError, match=r"client\.reference: must be given"):
        run(compose(*OPTIONS))
    with pytest.raises(ConfigError, match="fedlocal's own client alone"):
        run(compose(*OPTIONS, "client.reference=tests.flower.client.partition_app:app", "actors=auto"))


EXTRA = ("client.reference=tests.flower.client.extra_record_app:app", "backend=inline", "partition=iid")
STEPPING = "strategy._target_=tests.flower.client.extra_record_app.Stepping"
STRUCTURAL = "client.admission=structural"


def test_a_record_of_an_apps_own_is_refused_unless_the_structural_policy_is_asked_for() -> None:
    with pytest.raises(QuorumError, match="expected an array record 'arrays' and a metric record 'metrics'"):
        run(compose(*OPTIONS, *EXTRA, STEPPING))
    outcome = run(compose(*OPTIONS, *EXTRA, STEPPING, STRUCTURAL, "rounds=1"))
    start = run(compose(*OPTIONS[1:], "backend=inline", "model.learning_rate=0")).models["model"]
    moved = outcome.models["model"]["layer0.weight"] - start["layer0.weight"]
    np.testing.assert_allclose(moved, 1438 / 3, rtol=1e-5)


@pytest.mark.parametrize("strategy", ["fedavg", "fedmedian", "fedadam", "norm_clipping"])
def test_a_strategy_that_cannot_aggregate_what_the_structural_policy_admits_ends_the_run_with_the_reason(
    strategy: str,
) -> None:
    reason = "cannot aggregate these replies, of which client.admission=structural admits any"
    with pytest.raises(QuorumError, match=reason):
        run(compose(*OPTIONS, *EXTRA, f"strategy={strategy}", STRUCTURAL))
    partial_app = "client.reference=tests.flower.client.extra_record_app:partial_app"
    with pytest.raises(QuorumError, match=reason):
        run(compose(*OPTIONS, partial_app, "backend=inline", f"strategy={strategy}", STRUCTURAL))


def test_partitions_exist_in_experiments_alone() -> None:
    node_config: Any = {"partition-id": 0, "num-partitions": 1}
    with pytest.raises(AppError, match="no experiment runs here"):
        fedlocal.partition(Context(1, 1, node_config, RecordDict(), {}))


@pytest.mark.slow
def test_clients_with_actors_of_their_own_work_within_worker_processes() -> None:
    options = ("actors=2", "rounds=1", "baseline=false", "display=off", "model.hidden=[8]", "accumulate=2")
    nested = run(compose(*options, "client=nested", "client.workers=1", "backend=actors"))
    assert nested.hashes == run(compose(*options, "backend=inline")).hashes
