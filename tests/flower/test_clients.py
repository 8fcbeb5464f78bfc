"""A user's own client app in an experiment: it has its rows, and is judged like any client."""

from typing import Any

import pytest
from flwr.app import Context, RecordDict

import fedlocal
from fedlocal import compose, run
from fedlocal.config import ConfigError
from fedlocal.flower.apps import AppError
from fedlocal.flower.clients import _Provided

OPTIONS = ("client=app", "actors=3", "rounds=2", "baseline=false", "display=off", "model.hidden=[]")


@pytest.fixture(autouse=True)
def nothing_provided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Provided, "slices", None)


@pytest.mark.parametrize("backend", [pytest.param("inline", marks=pytest.mark.slow), "actors"])
def test_a_client_app_of_ones_own_trains_on_the_rows_of_its_partition(backend: str) -> None:
    reference = "client.reference=tests.flower.own_app:app"
    outcome = run(compose(*OPTIONS, reference, f"backend={backend}", "partition=linear"))
    first, last = outcome.histories["federated"].rounds[1:]
    assert [measured["num-examples"] for measured in first.actors.values()] == [239, 479, 720]
    assert last.metrics["mean"] == first.metrics["mean"] > 0
    weight = outcome.models["model"]["layer0.weight"]
    start = run(compose(*OPTIONS[1:], "backend=inline", "model.learning_rate=0")).models["model"]
    assert (weight - start["layer0.weight"]).round(4).min() == 2


def test_what_is_no_client_app_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    wrong: dict[str, tuple[type[Exception], str]] = {
        "tests.flower.own_app:train": (AppError, "not a ClientApp but function"),
        "nowhere:app": (AppError, "no module 'nowhere'"),
    }
    for reference, (error, told) in wrong.items():
        with pytest.raises(error, match=told):
            run(compose(*OPTIONS, f"client.reference={reference}", "backend=inline"))
    with pytest.raises(ConfigError, match=r"client\.reference: must be given"):
        run(compose(*OPTIONS))
    with pytest.raises(ConfigError, match="fedlocal's own client alone"):
        run(compose(*OPTIONS, "client.reference=tests.flower.own_app:app", "actors=auto"))


def test_rows_are_there_in_experiments_alone() -> None:
    own: Any = {"partition-id": 0, "num-partitions": 1}
    with pytest.raises(AppError, match="no experiment runs here"):
        fedlocal.partition(Context(1, 1, own, RecordDict(), {}))


@pytest.mark.slow
def test_clients_with_actors_of_their_own_work_within_worker_processes() -> None:
    options = ("actors=2", "rounds=1", "baseline=false", "display=off", "model.hidden=[8]", "accumulate=2")
    nested = run(compose(*options, "client=nested", "client.workers=1", "backend=actors"))
    assert nested.hashes == run(compose(*options, "backend=inline")).hashes
