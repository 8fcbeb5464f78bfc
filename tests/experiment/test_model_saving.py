"""The model of the best round is kept as the run goes on, whatever trains it and whatever ends the run."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fedlocal
from fedlocal import Run, compose, load_model, run
from fedlocal.results import ResultsError, load_saved, weights_hash

pytestmark = pytest.mark.usefixtures("no_leaks")

# So steep that accuracy goes up and down.
SMALL = [
    "dataset=synthetic",
    "dataset.train=120",
    "dataset.test=80",
    "dataset.shape=[3]",
    "dataset.separation=1.5",
    "model.hidden=[8]",
    "model.learning_rate=1.5",
    "display=off",
    "figures=false",
    "baseline=false",
    "backend=inline",
]
ROUNDS = 8


def best_round(outcome: Run) -> int:
    """Return the number that the history says, of the rounds with training in them."""
    rounds, values = next(iter(outcome.histories.values())).series("accuracy")
    scores = {number: value for number, value in zip(rounds, values, strict=True) if number}
    return max(scores, key=lambda number: (scores[number], -number))


def hash_of(folder: Path, which: Any) -> str:
    return weights_hash(load_saved(folder, which).arrays)


@pytest.fixture(scope="module", autouse=True)
def no_figures() -> Iterator[None]:
    """Leave out what takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fedlocal.experiment.summary.draw", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run whose best round is neither its first nor its last."""
    outcome = run(compose(*SMALL, f"rounds={ROUNDS}"), tmp_path_factory.mktemp("whole"))
    assert 1 < best_round(outcome) < ROUNDS
    return outcome


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("scheme", ["federated", "sequential", "batch_parallel", "pipeline"])
@pytest.mark.parametrize("options", [[], ["checkpoint_every=null"], ["evaluate_every=3"]])
def test_the_best_model_is_that_of_a_run_that_ended_there(
    tmp_path: Path, scheme: str, options: list[str]
) -> None:
    wanted = [*SMALL, f"scheme={scheme}", *options]
    outcome = run(compose(*wanted, f"rounds={ROUNDS}"), tmp_path)
    number, saved = best_round(outcome), load_saved(tmp_path, "best")
    assert saved.manifest["round"] == number
    shorter = run(compose(*wanted, f"rounds={number}"))
    assert weights_hash(saved.arrays) == shorter.hashes[scheme]
    assert saved.manifest["metrics"]["accuracy"] == shorter.arms[0].accuracy
    assert hash_of(tmp_path, "last") == outcome.hashes[scheme]
    assert load_saved(tmp_path).manifest["round"] == ROUNDS
    assert {name for name in files(tmp_path) if "best" in name} == {"best.json", f"best-{number}.npz"}


def test_the_manifest_says_what_the_model_is(whole: Run) -> None:
    assert whole.folder
    manifest = json.loads((whole.folder / "model.json").read_text())
    assert manifest["model"]["config"]["hidden"] == [8]
    assert (manifest["model"]["inputs"], manifest["model"]["outputs"]) == (3, 10)
    assert manifest["classes"]["labels"] == list(range(10))
    assert manifest["features"] == {"shape": [3], "scaling": None, "columns": []}
    assert manifest["dataset"] == "synthetic"
    assert manifest["config"]["rounds"] == ROUNDS
    assert manifest["versions"]["fedlocal"]
    assert manifest["models"]["model"]["hash"] == whole.hashes["federated"]


def half(whole: Run, folder: Path, rounds: int) -> Path:
    """Leave a run that was killed after some rounds."""
    folder.mkdir()
    run(compose(*SMALL, f"rounds={rounds}"), folder)
    (folder / "summary.json").unlink()
    assert whole.folder
    shutil.copy(whole.folder / "config.yaml", folder)
    return folder


@pytest.mark.parametrize("after", ["the best", "others"])
def test_a_run_that_is_resumed_keeps_the_best_of_all_its_rounds(
    whole: Run, tmp_path: Path, after: str
) -> None:
    best = best_round(whole)
    folder = half(whole, tmp_path / "run", best if after == "the best" else best - 1)
    resumed = fedlocal.resume(folder)
    assert resumed.hashes == whole.hashes
    assert load_saved(folder, "best").manifest["round"] == best
    assert hash_of(folder, "best") == hash_of(whole.folder or folder, "best")
    assert load_saved(folder).manifest["round"] == ROUNDS


def test_a_best_model_later_than_the_last_checkpoint_stands(whole: Run, tmp_path: Path) -> None:
    best = best_round(whole)
    folder = half(whole, tmp_path / "run", best)
    (folder / "checkpoints" / f"round-{best:06}.ckpt").unlink()
    before = (folder / "best.json").stat().st_mtime_ns
    assert fedlocal.resume(folder).hashes == whole.hashes
    assert (folder / "best.json").stat().st_mtime_ns == before
    assert hash_of(folder, "best") == hash_of(whole.folder or folder, "best")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_run_that_is_killed_leaves_its_best_model(tmp_path: Path) -> None:
    endless = [*SMALL, "rounds=1000000", f"hydra.run.dir={tmp_path}/run"]
    with subprocess.Popen([sys.executable, "-m", "fedlocal", *endless], cwd=tmp_path) as process:
        while not (tmp_path / "run" / "best.json").exists() and process.poll() is None:
            time.sleep(0.005)  # another process's file: nothing to wait on
        process.kill()
    model = load_model(tmp_path / "run", "best")
    assert model.predict(np.zeros((2, 3))).shape == (2,)
    with pytest.raises(ResultsError, match="its run has not ended; which=best takes its best round so far"):
        load_model(tmp_path / "run")


def test_a_new_run_in_the_folder_begins_with_nothing(tmp_path: Path) -> None:
    run(compose(*SMALL, "rounds=3"), tmp_path)
    run(compose(*SMALL, "rounds=1", "scheme=local", "actors=2", "overwrite=true"), tmp_path)
    left = {name for name in files(tmp_path) if name.endswith((".npz", "model.json", "best.json"))}
    assert left == {"actor-0.npz", "actor-1.npz", "model.json"}


def test_a_strategy_that_cannot_be_resumed_has_a_best_round_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from flwr.serverapp.strategy import FedAvg\n\nclass Mine(FedAvg): ...\n"
    (tmp_path / "of_mine.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "run").mkdir()
    outcome = run(compose(*SMALL, "rounds=4", "strategy._target_=of_mine.Mine"), tmp_path / "run")
    assert load_saved(tmp_path / "run", "best").manifest["round"] == best_round(outcome)


def test_a_disk_that_is_full_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "best.json").mkdir()
    monkeypatch.setattr("fedlocal.experiment.run.clear_folder", lambda *_, **__: None)
    outcome = run(compose(*SMALL, "rounds=4"), tmp_path)
    assert hash_of(tmp_path, "last") == outcome.hashes["federated"]
    assert len([line for line in caplog.messages if line.startswith("no best model of round")]) == 1
