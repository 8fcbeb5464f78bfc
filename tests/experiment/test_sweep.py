"""Runs of a sweep share a baseline and the cores, and what was done before is left alone."""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fedlocal import History, Run, compose
from fedlocal.actors import usable_cores
from fedlocal.experiment.resume import run_or_resume
from fedlocal.experiment.run_folder import ResumeError
from fedlocal.experiment.sweep import (
    CORES,
    concurrent_runs,
    default_objective,
    direction_of,
    finite_objective,
    share_cores,
    sharing_notice,
    value_counts,
    wrong_direction,
)
from fedlocal.results import arm_folder, locked_folder
from fedlocal.schemes.sequential import SequentialRun

SMALL = [
    "dataset=synthetic",
    "dataset.train=120",
    "dataset.test=40",
    "dataset.shape=[4,4]",
    "model.hidden=[8]",
    "rounds=2",
    "backend=inline",
    "display=off",
    "figures=false",
]
BASELINE = "sequential, 1 thread"
FOREIGN = "from flwr.serverapp.strategy import FedAvg\n\nclass Mine(FedAvg): ...\n"
Made = Callable[..., Run]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list of the baselines' rounds that were computed."""
    steps: list[int] = []
    step = SequentialRun.step

    def counted(self: SequentialRun, limit: float) -> Any:
        steps.append(self.number + 1)
        return step(self, limit)

    monkeypatch.setattr(SequentialRun, "step", counted)
    monkeypatch.setenv(CORES, "1")  # one baseline, whatever the machine
    return steps


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setattr(
        "fedlocal.experiment.summary.draw", lambda *_: None
    )  # figures take longer than all the rest

    def make(name: str, *overrides: str) -> Run:
        (tmp_path / name).mkdir(exist_ok=True)
        return run_or_resume(compose(*SMALL, *overrides), tmp_path / name, list(overrides), tmp_path)

    return make


def same_but_for_times(first: History, other: History) -> bool:
    return [round_.metrics for round_ in first.rounds] == [round_.metrics for round_ in other.rounds]


def test_runs_with_the_same_baseline_train_it_once(tmp_path: Path, made: Made, trained: list[int]) -> None:
    first, second = made("0", "actors=2"), made("1", "actors=3", "partition=dirichlet")
    assert trained == [1, 2]
    assert first.hashes[BASELINE] == second.hashes[BASELINE]
    assert same_but_for_times(first.histories[BASELINE], second.histories[BASELINE])
    assert [arm.reused for arm in first.arms] == [None, None]
    assert [arm.reused for arm in second.arms] == [None, "0"]
    stored = json.loads((tmp_path / "1" / "summary.json").read_text())
    assert stored["arms"][1]["reused"] == "0"
    shutil.rmtree(tmp_path / "0")  # a run's folder holds all that is about it
    copied = History.load(arm_folder(tmp_path / "1", BASELINE))
    assert same_but_for_times(copied, first.histories[BASELINE])


@pytest.mark.parametrize(
    "other",
    [
        ["seed=1"],
        ["model.learning_rate=0.01"],
        ["batch_size=16"],
        ["rounds=3"],
        ["dataset.train=100"],
        ["skew=noise"],
        ["strategy.fraction_evaluate=1", "validation_fraction=0.3"],
        ["sweep.baseline=each"],
    ],
)
def test_runs_with_another_baseline_train_that_baseline(
    made: Made, trained: list[int], other: list[str]
) -> None:
    first, second = made("0"), made("1", *other)
    assert len(trained) == len(first.histories[BASELINE].rounds) + len(second.histories[BASELINE].rounds) - 2
    assert second.arms[1].reused is None


def test_a_baseline_depends_on_the_partition_where_actors_have_skewed_features(
    made: Made, trained: list[int]
) -> None:
    made("0", "skew=noise", "actors=2")
    assert made("1", "skew=noise", "actors=3").arms[1].reused is None
    assert made("2", "skew=noise", "actors=2").arms[1].reused == "0"
    assert len(trained) == 4


def test_a_run_goes_on_while_another_run_computes_the_baseline_and_waits_for_it_at_its_end(
    tmp_path: Path, made: Made, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made("0")
    (folder,) = (tmp_path / ".baselines").iterdir()
    note = (folder / "computed.json").read_bytes()
    (folder / "computed.json").unlink()
    holder = locked_folder(folder)
    holder.__enter__()  # as if run 0 went on

    def done(self: Any, *, wait: bool) -> Any:
        if wait:
            (folder / "computed.json").write_bytes(note)
            holder.__exit__(None, None, None)
        return claimed(self, wait=wait)

    from fedlocal.results import SharedBaseline

    claimed = SharedBaseline.claimed
    monkeypatch.setattr(SharedBaseline, "claimed", done)
    assert made("1", "actors=2").arms[1].reused == "0"
    assert trained == [1, 2]


def test_a_run_computes_the_baseline_at_its_end_if_the_other_run_failed(
    tmp_path: Path, made: Made, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made("0")
    (folder,) = (tmp_path / ".baselines").iterdir()
    (folder / "computed.json").unlink()
    holder = locked_folder(folder)
    holder.__enter__()
    from fedlocal.results import SharedBaseline

    claimed = SharedBaseline.claimed

    def gone(self: Any, *, wait: bool) -> Any:
        if wait:
            holder.__exit__(None, None, None)
        return claimed(self, wait=wait)

    monkeypatch.setattr(SharedBaseline, "claimed", gone)
    late = made("1", "actors=2")
    assert trained == [1, 2, 1, 2]
    assert late.hashes[BASELINE] == whole.hashes[BASELINE]
    assert late.arms[1].reused == "1"  # its times are of another moment than the scheme's
    assert made("2", "actors=3").arms[1].reused == "1"


def test_a_baseline_that_cannot_be_read_is_computed_again(
    tmp_path: Path, made: Made, trained: list[int]
) -> None:
    made("0")
    for path in arm_folder(tmp_path / "0", BASELINE).iterdir():  # the copies that mend it, too
        path.unlink()
    assert made("1", "actors=2").arms[1].reused is None
    assert made("2", "actors=3").arms[1].reused == "1"


@pytest.mark.parametrize("hashes", [{}, {"another": "ab"}])
def test_a_baseline_of_which_a_part_is_noted_is_computed_again(
    tmp_path: Path, made: Made, trained: list[int], hashes: dict[str, str]
) -> None:
    made("0")
    (note,) = (tmp_path / ".baselines").glob("*/computed.json")
    note.write_text(json.dumps({"run": "0", "hashes": hashes}))
    assert made("1", "actors=2").arms[1].reused is None
    assert trained == [1, 2, 1, 2]


def test_a_run_that_has_completed_is_left_alone(tmp_path: Path, made: Made) -> None:
    first = made("0", "actors=2")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "0").rglob("*") if path.is_file()}
    again = made("0", "actors=2", "sweep.resume=true", "workers=1")
    assert again.hashes == first.hashes
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_run_that_was_killed_goes_on(tmp_path: Path, made: Made, trained: list[int]) -> None:
    whole = made("0", "actors=2")
    (tmp_path / "0" / "summary.json").unlink()
    for late in (tmp_path / "0" / "checkpoints").glob("*2.ckpt"):
        late.unlink()  # killed after round 1
    del trained[:]
    assert made("0", "actors=2", "sweep.resume=true").hashes == whole.hashes
    assert trained == [2]


def test_a_run_that_cannot_go_on_is_made_anew(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "foreign.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(tmp_path)
    options = ["strategy._target_=foreign.Mine", "actors=2", "baseline=false"]
    whole = made("0", *options)
    (tmp_path / "0" / "summary.json").unlink()
    assert made("0", *options, "sweep.resume=true").hashes == whole.hashes


@pytest.mark.parametrize("content", ["a: [", "[]", "\0"])
def test_a_damaged_configuration_is_named(tmp_path: Path, made: Made, content: str) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "config.yaml").write_text(content)
    with pytest.raises(ResumeError, match=r"config\.yaml is not the configuration of a run"):
        made("0", "sweep.resume=true")


def test_a_folder_with_another_run_is_refused(tmp_path: Path, made: Made) -> None:
    made("0", "actors=2")
    before = (tmp_path / "0" / "summary.json").read_bytes()
    with pytest.raises(ResumeError, match=r"0 holds a run of another sweep \(actors=2 in place of 3\)"):
        made("0", "actors=3", "sweep.resume=true")
    assert (tmp_path / "0" / "summary.json").read_bytes() == before


def hydra(sweeper: str = "BasicSweeper", **options: Any) -> Any:
    return OmegaConf.create({"sweeper": {"_target_": f"x.{sweeper}"}, "overrides": {"task": []}, **options})


@pytest.mark.parametrize(
    ("params", "task", "expected"),
    [
        ({}, ["actors=1,2,4", "seed=range(3)", "rounds=2"], {"actors": 3, "seed": 3, "rounds": 1}),
        ({"attack": "none,noise", "seed": "0,1"}, ["seed=4"], {"attack": 2, "seed": 1}),
        (
            None,
            ["model.hidden=[8],[8,8]", "partition=choice(iid,shards)"],
            {"model.hidden": 2, "partition": 2},
        ),
        ({}, ["+partition.alpha=1,2", "++rounds=3", "~skew"], {"partition.alpha": 2, "rounds": 1, "skew": 1}),
    ],
)
def test_the_choices_of_a_sweep_are_those_of_hydras_basic_sweeper(
    params: Any, task: list[str], expected: dict[str, int]
) -> None:
    config = hydra(overrides={"task": task})
    config.sweeper.params = params
    assert value_counts(config) == expected


def test_the_choices_of_another_sweeper_and_of_a_glob_are_unknown() -> None:
    assert value_counts(hydra("OptunaSweeper")) is None
    assert value_counts(hydra(overrides={"task": ["partition=glob(*)", "seed=0,1"]})) is None


def launcher(name: str, **options: Any) -> Any:
    return OmegaConf.create({"_target_": f"hydra_plugins.some.{name}", **options})


def test_runs_at_the_same_time_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedlocal.experiment.sweep.usable_cores", lambda: 8)
    joblib = launcher("JoblibLauncher", n_jobs=3)
    assert concurrent_runs(joblib) == 3
    assert sharing_notice(joblib, 12) == "12 runs, 3 at a time, each on 2 of 8 cores"
    assert sharing_notice(joblib, 2) == "2 runs, 2 at a time, each on 2 of 8 cores"  # what each will take
    assert sharing_notice(launcher("LocalLauncher"), 3) == "3 runs, 3 at a time, each on 1 of 8 cores"
    assert sharing_notice(launcher("LocalLauncher"), None) == "runs, all at once, each on 1 of 8 cores"
    assert sharing_notice(launcher("BasicLauncher"), 12) is None
    assert sharing_notice(launcher("SlurmLauncher"), 12) is None  # which gives each its machine


TWICE = """
import os, sys
from omegaconf import OmegaConf
from fedlocal import compose
from fedlocal.actors import usable_cores
from fedlocal.experiment.sweep import share_cores
os.environ["LOKY_MAX_CPU_COUNT"] = "4"
launcher = OmegaConf.create({"_target_": "x.JoblibLauncher", "n_jobs": 2})
for asked in ("auto", "9", "1"):
    config = compose(f"workers={asked}")
    share_cores(config, launcher)
    print(config.workers, usable_cores())
"""


@pytest.mark.skipif(usable_cores() < 2, reason="one core cannot be shared")
def test_a_process_takes_its_share_once_and_no_more_workers() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=True)
    share = max(1, min(4, usable_cores()) // 2)
    assert done.stdout.splitlines() == [f"auto {share}", f"{share} {share}", f"1 {share}"]
    assert f"workers=9: {share} here, as other runs share the cores" in done.stderr


def test_a_run_alone_has_the_workers_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CORES, raising=False)
    cores, config = usable_cores(), compose("workers=99")
    share_cores(config, launcher("SlurmLauncher"))
    assert (config.workers, usable_cores()) == (99, cores)


@pytest.mark.parametrize(
    ("sweeper", "sought"),
    [
        ({"_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"}, None),
        ({"direction": "minimize"}, "minimize"),
        ({"direction": "maximize"}, "maximize"),
        ({"direction": ["minimize", "maximize"]}, None),
        ({"optim": {"optimizer": "OnePlusOne", "maximize": False}}, "minimize"),
        ({"optim": {"maximize": True}}, "maximize"),
        ({"ax_config": {"experiment": {"minimize": True}}}, "minimize"),
    ],
)
def test_a_sweeper_gets_an_objective_that_is_best_where_it_seeks(
    sweeper: dict[str, Any], sought: str | None
) -> None:
    config = OmegaConf.create(sweeper)
    direction = direction_of(config)
    assert direction == sought
    good, bad = default_objective(0.9, 0.1, direction), default_objective(0.2, 3.0, direction)
    assert (good < bad) is (sought == "minimize")
    assert default_objective(None, 0.1, "maximize") > default_objective(None, 3.0, "maximize")
    assert default_objective(0.9, None, "minimize") < default_objective(0.2, None, "minimize")
    failed = finite_objective(math.nan, direction)
    assert math.isnan(failed) if sought is None else math.isfinite(failed)
    assert sought != "minimize" or failed > bad
    assert sought != "maximize" or failed < bad


@pytest.mark.parametrize(
    ("objective", "direction", "refused"),
    [
        ("accuracy", "minimize", True),
        ("client-accuracy", "minimize", True),
        ("loss", "maximize", True),
        ("seconds", "maximize", True),
        ("accuracy", "maximize", False),
        ("train-loss", "minimize", False),
        ("f1", "minimize", False),
        (None, "minimize", False),
    ],
)
def test_an_objective_that_is_best_at_the_other_end_is_refused(
    objective: str | None, direction: str, refused: bool
) -> None:
    problem = wrong_direction(objective, OmegaConf.create({"direction": direction}))
    assert (problem is not None) is refused
    if problem:
        assert "would" in problem
        assert "hydra.sweeper.direction=" in problem
