"""The pipeline: the bits of the sequential scheme, whoever makes which pass, and whatever dies meanwhile."""

import os
from pathlib import Path

import pytest

from fedlocal import Run, compose, resume, run
from fedlocal.actors import audit
from fedlocal.config.schema import ConfigError
from fedlocal.models import ModelError
from fedlocal.schemes.coordinator import ActorFailedError
from tests.schemes import mortals

pytestmark = pytest.mark.usefixtures("no_leaks")

SMALL = [
    "dataset=synthetic",
    "dataset.train=403",
    "dataset.test=100",
    "dataset.shape=[6,6]",
    "rounds=2",
    "batch_size=16",
    "baseline=false",
    "display=off",
    "figures=false",
]
HIDDEN = "model.hidden=[17,8]"
PIPELINE = "scheme=pipeline"
INLINE = "backend=inline"


def trained(*overrides: str, folder: Path | None = None) -> Run:
    hidden = (
        [] if any(override.startswith(("model.hidden", "model=sgd")) for override in overrides) else [HIDDEN]
    )
    return run(compose(*SMALL, *hidden, *overrides), folder)


def final_hash(*overrides: str) -> str:
    (hash_,) = trained(*overrides).hashes.values()
    return hash_


@pytest.mark.parametrize(
    "setting",
    [
        ["accumulate=5"],
        ["accumulate=8", "model.activation=tanh", "model.momentum=0.9", "optimizer_state=keep"],
        pytest.param(["accumulate=3", "model=paper", "local_epochs=2"], marks=pytest.mark.slow),
        pytest.param(
            ["accumulate=2", "model.output=sigmoid", "model.loss=mean_squared_error"], marks=pytest.mark.slow
        ),
        pytest.param(["accumulate=64", "model.activation=sigmoid"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_any_number_of_actors_stages_and_workers_equals_sequential(setting: list[str]) -> None:
    expected = trained("scheme=sequential", *setting)
    variants = [
        ["actors=2", "scheme.stages=0", INLINE],
        ["actors=3", "scheme.credits=1", INLINE],
        ["actors=9", "scheme.stages=3", "workers=3"],
        ["actors=6", "scheme.stages=2", "scheme.credits=7", "workers=2"],
    ]
    for other in variants:
        outcome = trained(PIPELINE, *setting, *other)
        assert outcome.hashes["pipeline"] == expected.hashes["sequential"], other
        losses = outcome.histories["pipeline"].series("train-loss")
        assert losses == expected.histories["sequential"].series("train-loss")


def test_a_batch_that_fills_no_wave_has_the_bits_of_sequential_with_real_targets() -> None:
    setting = [
        "dataset.task=regression",
        "model=paper",
        "batch_size=50",
        "accumulate=4",
        "model.learning_rate=0.01",
    ]
    assert final_hash(PIPELINE, *setting, "workers=2") == final_hash("scheme=sequential", *setting)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("stages", "activation"), [(1, "tanh"), (2, "relu")])
def test_a_worker_killed_in_the_middle_of_a_pass_is_not_noticed(
    tmp_path: Path, stages: int, activation: str
) -> None:
    folder, activated = tmp_path / "run", f"model.activation={activation}"
    folder.mkdir()
    mortal = [f"model._target_={mortals.__name__}.MortalPasses", f"+model.marks={tmp_path}", activated]
    outcome = trained(PIPELINE, "actors=7", f"scheme.stages={stages}", "workers=2", *mortal, folder=folder)
    events = audit(folder / "journal.jsonl")
    assert events.sound
    assert len(list(tmp_path.glob("forward-*"))) == len(list(tmp_path.glob("backward-*"))) == 2
    assert events.retried >= 4
    assert outcome.hashes["pipeline"] == final_hash("scheme=sequential", "accumulate=8", activated)


def test_each_step_of_each_batch_is_one_message(tmp_path: Path) -> None:
    trained(PIPELINE, "workers=2", "rounds=1", folder=tmp_path)
    assert audit(tmp_path / "journal.jsonl").posted == 3 * -(-403 // 16)


def test_an_actors_error_ends_the_run_with_its_reason() -> None:
    broken = [f"model._target_={mortals.__name__}.Broken", "scheme.stages=0", "actors=2"]
    with pytest.raises(ActorFailedError, match=r"actor 1 failed \(exception\): ArithmeticError: no gradient"):
        trained(PIPELINE, INLINE, *broken)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["actors=2"], r"actors=2: scheme\.stages=1 needs 2 .* set actors=3 or more"),
        (["actors=4", "scheme.stages=2"], r"set actors=5 or more"),
        (["scheme.stages=-1"], r"scheme\.stages=-1"),
        (["scheme.credits=0"], r"scheme\.credits=0"),
        (["accumulate=1"], r"accumulate=1: .* set accumulate=2 or more"),
    ],
    ids=str,
)
def test_a_run_that_cannot_be_a_pipeline_is_refused(wrong: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trained(PIPELINE, INLINE, *wrong)


def test_a_model_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ModelError, match=r"3 layers.*4 stages"):
        trained(PIPELINE, INLINE, "actors=9", "scheme.stages=4")
    with pytest.raises(ModelError, match=r"SklearnModel makes its passes in one piece; set scheme\.stages=0"):
        trained(PIPELINE, INLINE, "model=sgd_classifier")


def test_the_measured_times_and_rows_add_up() -> None:
    history = trained(PIPELINE, "workers=2", "local_epochs=2").histories["pipeline"]
    for round_ in history.rounds[1:]:
        assert round_.seconds["busy"] + round_.seconds["idle"] == pytest.approx(2 * round_.timed, rel=1e-6)
        assert [measured["num-examples"] for measured in round_.actors.values()] == [2 * 403] * 3
        assert round_.actors[2]["train-loss"] == pytest.approx(round_.metrics["train-loss"])
        assert "train-loss" not in round_.actors[0]
        assert len(round_.work) == 2 * 3 * -(-403 // 16)


def test_a_run_goes_on_from_a_checkpoint_with_the_same_bits(tmp_path: Path) -> None:
    setting = [PIPELINE, INLINE, "model.momentum=0.9", "optimizer_state=keep"]
    trained(*setting, folder=tmp_path)
    (tmp_path / "summary.json").unlink()
    config = (tmp_path / "config.yaml").read_text().partition("# sha256")[0]
    (tmp_path / "config.yaml").write_text(config.replace("rounds: 2", "rounds: 4"))
    assert resume(tmp_path).hashes == trained(*setting, "rounds=4").hashes
