"""Trackers are told all that the histories hold, and whatever becomes of them, the run is the same."""

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

import fedlocal
from fedlocal import Run, compose, run
from fedlocal.config.schema import ConfigError
from fedlocal.config.validation import check
from fedlocal.experiment.tracking import parameters
from fedlocal.flower.server.round_loop import QuorumError
from fedlocal.trackers import MetricPoint, RunEnded, RunStarted, dispatch
from fedlocal.trackers.dispatch import numbers
from tests.trackers.recording_tracker import Interrupting, Recorder

SMALL = [
    "dataset=synthetic",
    "dataset.train=200",
    "dataset.test=50",
    "dataset.shape=[4,4]",
    "model.hidden=[8]",
    "backend=inline",
    "rounds=5",
    "display=off",
]
HERE = "tests.trackers.recording_tracker"
RECORDER = f"+tracker.recorder._target_={HERE}.Recorder"


def points_of(outcome: Run) -> set[tuple[str, int, frozenset[tuple[str, float]]]]:
    return {
        (name.replace(", ", "-").replace(" ", "-"), round_.number, frozenset(numbers(round_).items()))
        for name, history in outcome.histories.items()
        for round_ in history.rounds
    }


def points_in(events: list[Any]) -> list[tuple[str, int, frozenset[tuple[str, float]]]]:
    points = [event for event in events if isinstance(event, MetricPoint)]
    return [(point.arm, point.round, frozenset(point.values.items())) for point in points]


@pytest.mark.parametrize("pause", [0.0, 1000.0])
def test_a_tracker_is_told_each_round_of_each_arm_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pause: float
) -> None:
    monkeypatch.setattr(dispatch, "PAUSE", pause)
    monkeypatch.setattr(dispatch, "REST", 0)
    config = compose(*SMALL, RECORDER)
    outcome = run(config, tmp_path, ["actors=4", "tracker=recorder"])
    folder, beginning, *points, ending = Recorder.events
    assert folder == tmp_path
    assert isinstance(beginning, RunStarted)
    assert (beginning.name, beginning.main, beginning.sweep) == ("actors=4", "federated", None)
    assert beginning.parameters == parameters(config)
    assert beginning.parameters["model.learning_rate"] == config.model.learning_rate
    assert not any("tracker" in name for name in beginning.parameters)
    assert len(points) == len(outcome.histories) * 6
    assert set(points_in(points)) == points_of(outcome)
    assert isinstance(ending, RunEnded)
    assert (ending.status, ending.round) == ("completed", 5)
    assert ending.metrics["final/accuracy"] == outcome.arms[0].accuracy
    assert ending.metrics["final/speed-up/sequential-1-thread"] == outcome.arms[1].speed_up
    assert ending.tags["hash.federated"] == outcome.hashes["federated"]
    assert {path.name for path in ending.figures} >= {"learning_curves.png", "partition.png"}
    assert {path.name for path in ending.models} >= {"model.npz", "model.json"}


def test_baselines_of_another_run_are_told_without_ratios_to_their_times(tmp_path: Path) -> None:
    for number in ("0", "1"):
        (tmp_path / number).mkdir()
        outcome = run(compose(*SMALL, f"actors=1{number}", RECORDER), tmp_path / number, sweep=tmp_path)
    assert outcome.arms[1].reused == "0"
    assert set(points_in(Recorder.events)) == points_of(outcome)
    ending = Recorder.events[-1]
    assert ending.tags["baselines-of-run"] == "0"
    assert not any("speed-up" in name for name in ending.metrics)


@pytest.mark.parametrize("at", ["begin", "log", "end"])
def test_a_tracker_that_fails_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, at: str
) -> None:
    monkeypatch.setattr(dispatch, "PAUSE", 0.0)
    alone = run(compose(*SMALL, "baseline=false"))
    broken = [f"+tracker.broken._target_={HERE}.Broken", f"+tracker.broken.at={at}"]
    outcome = run(compose(*SMALL, "baseline=false", *broken, RECORDER))
    assert outcome.hashes == alone.hashes
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.getMessage() == (
        "tracker=broken: OSError: [Errno 28] No space left on device; the run goes on without it"
    )
    assert isinstance(Recorder.events[-1], RunEnded)  # the others lose nothing by it
    assert set(points_in(Recorder.events)) == points_of(outcome)


def test_a_tracker_is_told_that_a_run_failed(tmp_path: Path) -> None:
    with pytest.raises(QuorumError) as caught:
        run(compose(*SMALL, "baseline=false", "model.learning_rate=1e30", RECORDER), tmp_path)
    ending = Recorder.events[-1]
    assert (ending.status, ending.round) == ("failed", 0)
    assert ending.tags["error"] == f"QuorumError: {caught.value}"


def test_a_tracker_is_told_that_a_run_was_interrupted_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dispatch, "PAUSE", 0.0)
    monkeypatch.setattr(Interrupting, "pressed", False)
    tracked = compose(*SMALL, f"+tracker.recorder._target_={HERE}.Interrupting")
    with pytest.raises(KeyboardInterrupt):
        run(tracked, tmp_path)
    assert Recorder.events[-1].status == "interrupted"
    outcome = fedlocal.resume(tmp_path, trust=True)
    assert outcome.hashes == run(compose(*SMALL)).hashes
    assert Recorder.events[-1].status == "completed"
    points = points_in(Recorder.events)
    assert set(points) == points_of(outcome)  # of the rounds before, too
    assert len(points) == len(set(points))


def test_a_run_of_before_there_were_trackers_goes_on(tmp_path: Path) -> None:
    stored = OmegaConf.to_yaml(compose(*SMALL), resolve=True)
    assert "tracker: {}\n" in stored
    (tmp_path / "config.yaml").write_text(stored.replace("tracker: {}\n", ""))
    assert fedlocal.resume(tmp_path, "tracker=none").hashes == run(compose(*SMALL)).hashes


def test_a_sweep_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (folder := tmp_path / "multirun" / "study" / "3").mkdir(parents=True)
    (folder.parent / "multirun.yaml").touch()
    run(compose(*SMALL, "rounds=1", "baseline=false", RECORDER), folder)
    beginning = Recorder.events[1]
    assert (beginning.name, beginning.sweep) == ("3", "multirun/study")


def test_workers_import_no_tracker() -> None:
    program = (
        "import sys, fedlocal.experiment.figures, fedlocal.experiment.setup\n"
        "import fedlocal.flower.node.client_runner, fedlocal.results\n"
        "sys.exit(any('trackers' in name for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("tracker", "missing", "reason"),
    [
        ("tensorboard", "tensorboardX", r"pip install 'fedlocal\[tensorboard\]'; or set tracker=none"),
        ("mlflow", "mlflow", r"pip install 'fedlocal\[mlflow\]'"),
    ],
)
def test_a_missing_library_is_reported_before_data_are_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tracker: str, missing: str, reason: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=reason):
        run(compose("dataset=npz", "dataset.path=absent.npz", f"tracker={tracker}"), tmp_path)


def test_tensorboard_needs_a_folder() -> None:
    with pytest.raises(ConfigError, match="give run"):
        run(compose(*SMALL, "tracker=tensorboard"))


@pytest.mark.parametrize(
    ("overrides", "chosen"),
    [
        ([], []),
        (["tracker=none"], []),
        (["tracker=mlflow", "tracker.mlflow.uri=http://here"], ["mlflow"]),
        (["tracker=[tensorboard,mlflow]"], ["tensorboard", "mlflow"]),
    ],
)
def test_no_tracker_one_or_several_can_be_chosen(overrides: list[str], chosen: list[str]) -> None:
    config = compose(*overrides)
    check(config)
    assert list(config.tracker) == chosen


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["tracker=tensorbord"], "tensorbord"),
        (["tracker=tensorboard", "tracker.tensorboard.foo=1"], "tracker.tensorboard.foo"),
    ],
)
def test_a_tracker_or_an_option_of_it_that_does_not_exist_is_named(overrides: list[str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        compose(*overrides)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["tracker=tensorboard", "+tracker.tensorboard.foo=1"], "tracker.tensorboard.foo: .* no such param"),
        (["tracker=mlflow", "tracker.mlflow.models=2"], "tracker.mlflow.models=2: must be of type bool"),
        (["+tracker.wandb=1"], "tracker.wandb: expected options with a _target_, got 1"),
    ],
)
def test_options_are_checked_against_the_signature(overrides: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        check(compose(*overrides))
