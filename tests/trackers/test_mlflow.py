"""What MLflow's own client finds is what the histories hold, and nothing goes anywhere else."""

import json
import logging
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

import fedlocal
from fedlocal import History, Run, compose, run
from fedlocal.config.schema import ConfigError
from fedlocal.experiment.tracking import parameters
from fedlocal.results.runs import arm_name
from fedlocal.trackers import dispatch
from fedlocal.trackers.dispatch import numbers
from tests.trackers.runs import SMALL, killed

pytest.importorskip("mlflow", reason="pip install 'fedlocal[mlflow]'")
pytestmark = [
    pytest.mark.extras,
    pytest.mark.filterwarnings("ignore"),  # of MLflow and its libraries, to those who write against them
]
MLFLOW = "tracker=mlflow"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty folder, whose name has what addresses cannot: the store is in the working directory."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (folder := tmp_path / "20 %20#20?20").mkdir()
    monkeypatch.chdir(folder)
    return folder


def client(folder: Path) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{str(folder).translate({37: '%25', 35: '%23', 63: '%3F'})}/mlflow.db")


def runs(folder: Path, experiment: str = "fedlocal") -> list[Any]:
    experiment_ = client(folder).get_experiment_by_name(experiment)
    return list(client(folder).search_runs([experiment_.experiment_id]))


def artefacts_of(stored: Any) -> Path:
    return Path(url2pathname(urlsplit(stored.info.artifact_uri).path))


def logged(folder: Path, stored: Any) -> set[tuple[str, int, float]]:
    """Return all metrics of a run but the results, and check that nothing is there twice."""
    names = [name for name in stored.data.metrics if not name.startswith("final/")]
    get = client(folder).get_metric_history
    points = [(name, metric.step, metric.value) for name in names for metric in get(stored.info.run_id, name)]
    assert len(points) == len({point[:2] for point in points})
    return set(points)


def measured(outcome: Run) -> set[tuple[str, int, float]]:
    main, *baselines = outcome.histories.items()
    points = _measured(main[1])
    return points.union(*(_measured(history, f"{arm_name(name)}/") for name, history in baselines))


def _measured(history: History, above: str = "") -> set[tuple[str, int, float]]:
    return {
        (f"{above}{k}", round_.number, v) for round_ in history.rounds for k, v in numbers(round_).items()
    }


def test_mlflow_reads_the_measurements(here: Path) -> None:
    (folder := here / "run").mkdir()
    config = compose(*SMALL, MLFLOW, "tracker.mlflow.experiment=mine", "tracker.mlflow.models=true")
    outcome = run(config, folder, ["actors=4", "tracker=mlflow"])
    (stored,) = runs(here, "mine")
    assert (stored.info.run_name, stored.info.status) == ("actors=4", "FINISHED")
    assert logged(here, stored) == measured(outcome)
    assert stored.data.metrics["final/accuracy"] == outcome.arms[0].accuracy
    assert stored.data.params == {name: str(value) for name, value in parameters(config).items()}
    assert stored.data.tags["hash.federated"] == outcome.hashes["federated"]
    assert stored.data.tags["status"] == "completed"
    assert stored.data.tags["version.fedlocal"] == fedlocal.__version__
    artefacts = artefacts_of(stored)
    assert artefacts.is_relative_to(here / "mlruns")
    for kind, pattern in (("figures", "*.png"), ("model", "model.*")):
        for path in folder.glob(pattern):
            assert (artefacts / kind / path.name).read_bytes() == path.read_bytes()
    assert (artefacts / "model" / "model.npz").exists()


def test_a_run_without_a_folder_is_tracked_without_figures(here: Path) -> None:
    outcome = run(compose(*SMALL, MLFLOW))
    (stored,) = runs(here)
    assert logged(here, stored) == measured(outcome)
    assert not artefacts_of(stored).exists()


def test_a_run_that_was_killed_goes_on_as_the_same_run(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = killed(here, MLFLOW)
    monkeypatch.chdir(folder)  # wherever one is then
    (stored,) = runs(here)
    assert stored.info.status == "RUNNING"
    assert {step for _, step, _ in logged(here, stored)} == {0, 1, 2, 3}
    outcome = fedlocal.resume(folder)
    (again,) = runs(here)
    assert again.info.run_id == stored.info.run_id
    assert again.info.status == "FINISHED"
    points = logged(here, again)
    assert {point[:2] for point in points} == {point[:2] for point in measured(outcome)}
    assert _untimed(points) == _untimed(measured(outcome))  # a round that was told keeps its first times


def _untimed(points: set[tuple[str, int, float]]) -> set[tuple[str, int, float]]:
    return {point for point in points if "seconds/" not in point[0]}


def test_a_run_that_failed_says_so_until_it_goes_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("as it happens")

    (folder := here / "run").mkdir()
    config = compose(*SMALL, MLFLOW)
    with monkeypatch.context() as patched:
        patched.setattr("fedlocal.experiment.run.save_final_models", fail)
        with pytest.raises(RuntimeError):
            run(config, folder)
    (stored,) = runs(here)
    assert stored.info.status == "FAILED"
    assert stored.data.tags["error"] == "RuntimeError: as it happens"
    fedlocal.resume(folder)
    (stored,) = runs(here)
    assert stored.info.status == "FINISHED"
    assert "error" not in stored.data.tags


def test_a_new_run_in_the_same_folder_is_another_run_of_mlflow(here: Path) -> None:
    (folder := here / "run").mkdir()
    for _ in range(2):
        run(compose(*SMALL, "baseline=false", "overwrite=true", MLFLOW), folder)
    first, second = runs(here)
    assert json.loads((folder / "mlflow.json").read_text())["run"] == first.info.run_id  # the newest
    assert first.info.run_id != second.info.run_id


def test_a_store_that_breaks_is_one_warning(
    here: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "PAUSE", 0.0)
    note = dispatch.TrackerDispatch.note

    def note_and_break(self: dispatch.TrackerDispatch) -> None:
        note(self)
        if len(next(iter(self._histories().values())).rounds) == 3:
            with sqlite3.connect(here / "mlflow.db") as database:
                database.execute("drop table metrics")
            database.close()

    monkeypatch.setattr(dispatch.TrackerDispatch, "note", note_and_break)
    monkeypatch.setattr(dispatch, "REST", 0)
    outcome = run(compose(*SMALL, "baseline=false", MLFLOW))
    assert outcome.hashes == run(compose(*SMALL, "baseline=false")).hashes
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "tracker=mlflow: " in warning.getMessage()
    assert "no such table: metrics" in warning.getMessage()


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9 cannot be used: .*refused"),
        ("htp://here", "htp://here cannot be used"),
        ("sqlite:////proc/nowhere/mlflow.db", "/proc/nowhere"),
    ],
)
def test_a_store_that_cannot_be_reached_is_an_error_before_data_are_loaded(uri: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        run(compose("dataset=npz", "dataset.path=absent.npz", MLFLOW, f"tracker.mlflow.uri={uri}"))


def test_a_deleted_experiment_is_named(here: Path) -> None:
    run(compose(*SMALL, "rounds=1", "baseline=false", MLFLOW))
    client(here).delete_experiment(client(here).get_experiment_by_name("fedlocal").experiment_id)
    with pytest.raises(ConfigError, match="'fedlocal' was deleted: restore it, or choose another with"):
        run(compose(*SMALL, MLFLOW))


ALONE = """
import socket, sys

def refuse(*where, **how):
    print("TRIED TO REACH", where, flush=True)
    raise OSError("there is no network")

socket.socket.connect = socket.getaddrinfo = refuse
if sys.argv.pop(1) == "first":
    import mlflow
from fedlocal import compose, run
run(compose(*sys.argv[1:]))
from mlflow.telemetry import get_telemetry_client
print("telemetry", get_telemetry_client(), flush=True)
"""


@pytest.mark.parametrize("order", ["after", "first"])
def test_nothing_is_sent_anywhere_and_nothing_is_printed(here: Path, order: str) -> None:
    """Also where no test or CI turns telemetry off, and where a program has MLflow imported before."""
    signs = {"CI", "PYTEST_CURRENT_TEST", "DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY"}
    alone = {name: value for name, value in os.environ.items() if name not in signs}
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", ALONE, order, *SMALL, "baseline=false", MLFLOW],
        cwd=here,
        env=alone,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "telemetry None"
    if order == "after":
        assert done.stdout == "telemetry None\n"
        assert "mlflow" not in done.stderr.lower()


def test_runs_that_begin_at_the_same_time_share_a_store(here: Path) -> None:
    line = [sys.executable, "-m", "fedlocal", *SMALL, "baseline=false", MLFLOW]
    processes = [subprocess.Popen([*line, f"hydra.run.dir=run{number}"], cwd=here) for number in range(2)]
    assert [process.wait(timeout=600) for process in processes] == [0, 0]
    assert [run_.info.status for run_ in runs(here)] == ["FINISHED", "FINISHED"]


def test_runs_of_a_sweep_share_an_experiment_and_their_sweep_is_a_tag(here: Path) -> None:
    asked = ["baseline=false", "tracker=[tensorboard,mlflow]", "hydra.sweep.dir=study", "actors=2,3"]
    subprocess.run([sys.executable, "-m", "fedlocal", "-m", *SMALL, *asked], cwd=here, check=True)
    stored = runs(here)
    assert {run_.data.params["actors"] for run_ in stored} == {"2", "3"}
    assert {run_.data.tags["sweep"] for run_ in stored} == {"study"}
    for run_ in stored:
        assert run_.info.run_name == f"actors={run_.data.params['actors']}"
    boards = {path.parent.relative_to(here) for path in here.rglob("events.out.tfevents.*")}
    assert {board.as_posix() for board in boards} == {
        "study/0/tensorboard/actors=2/federated",
        "study/1/tensorboard/actors=3/federated",
    }
