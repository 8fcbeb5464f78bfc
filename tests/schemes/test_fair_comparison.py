"""A scheme and its baselines are compared row for row, with partners that take no longer than they must."""

import os
from pathlib import Path

import pytest

import fedlocal
from fedlocal import History, Run, compose, run
from fedlocal.config.schema import Config
from fedlocal.results import faster, weights_hash
from fedlocal.schemes import baselines
from fedlocal.schemes.sequential import OverTimeError, SequentialRun

SMALL = [
    "dataset=synthetic",
    "dataset.train=403",
    "dataset.test=50",
    "dataset.shape=[6]",
    "model.hidden=[8]",
    "actors=4",
    "rounds=3",
    "batch_size=16",
    "backend=inline",
    "display=off",
]


def small(*overrides: str) -> Config:
    return compose(*SMALL, *overrides)


def rows_of(outcome: Run) -> list[int | None]:
    return [round_.trained_rows for round_ in next(iter(outcome.histories.values())).rounds]


@pytest.mark.parametrize(
    ("setting", "rows"),
    [
        ([], 403),
        (["local_epochs=2", "strategy=fedprox"], 806),
        (["strategy.fraction_evaluate=1.0", "validation_fraction=0.5"], 203),
        (["scheme=local"], 403),
        (["scheme=sequential", "local_epochs=3"], 1209),
        (["scheme=batch_parallel", "local_epochs=2"], 806),  # 26 batches: the last wave has two
        (["scheme=batch_parallel", "accumulate=1"], 403),
        (["scheme=pipeline", "accumulate=4", "batch_size=30"], 403),
        (["attack=sign_flip", "attack.share=0.25"], 403),
        pytest.param(["client=nested", "accumulate=2"], 403, marks=pytest.mark.slow),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_rounds_count_the_rows_that_were_trained(setting: list[str], rows: int) -> None:
    assert rows_of(run(small("baseline=false", *setting))) == [None, rows, rows, rows]


@pytest.mark.parametrize(
    "setting",
    [
        ["strategy.fraction_train=0.5"],
        ["availability=dropout", "availability.p=0.5", "rounds=6"],
        ["availability=dropout", "availability.p=0.4", "availability.mid_round=true", "rounds=6"],
    ],
    ids=" ".join,
)
def test_rows_of_actors_that_did_not_take_part_do_not_count(setting: list[str]) -> None:
    outcome = run(small("baseline=false", "strategy.fraction_evaluate=0", *setting))
    rounds = outcome.histories["federated"].rounds[1:]
    expected = [sum(measured["num-examples"] for measured in round_.actors.values()) for round_ in rounds]
    assert [round_.trained_rows for round_ in rounds] == expected
    assert min(expected) < 403


APP = """
import fedlocal
from flwr.app import Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()

@app.train()
def train(message, context):
    if {fails} and context.node_config["partition-id"] == 1:
        raise ValueError("no")
    rows = fedlocal.partition(context).training
    metrics = MetricRecord({{"num-examples": len(rows)}})
    return Message(RecordDict({{"arrays": message.content["arrays"], "metrics": metrics}}), reply_to=message)
"""


def test_the_rows_that_a_users_client_app_trained_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(APP.format(fails=False))
    monkeypatch.syspath_prepend(tmp_path)
    outcome = run(small("client=app", "client.reference=mine:app"))
    assert rows_of(outcome) == [None] * 4
    main, alone, *_ = outcome.arms
    assert main.trained_rows is None
    assert alone.speed_up == pytest.approx(alone.seconds / main.seconds)
    assert "not known: how many rows federated trained on" in repr(outcome)


def test_rows_of_actors_that_failed_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    from fedlocal.models.training_run import Training

    train = Training.run

    def fail(self: Training, *arguments: object, partition: int, number: int) -> float:
        if partition == 1:
            raise ValueError("no")
        return train(self, *arguments, partition=partition, number=number)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "run", fail)
    monkeypatch.setattr("fedlocal.flower.client.local_training.stack_height", lambda *_: 0)
    outcome = run(
        small("baseline=false", "min_results=1", "partition=sizes", "partition.counts=[100,3,200,100]")
    )
    assert rows_of(outcome) == [None, 400, 400, 400]


def test_the_rows_of_a_run_outlive_it(tmp_path: Path) -> None:
    outcome = run(small("baseline=false", "strategy.fraction_train=0.5"), tmp_path)
    stored = [round_.trained_rows for round_ in History.load(tmp_path).rounds]
    assert stored == rows_of(outcome)


@pytest.mark.parametrize(
    "setting",
    [
        ["strategy.fraction_train=0.25"],
        ["availability=dropout", "availability.p=0.5"],
        ["scheme=batch_parallel"],
    ],
    ids=" ".join,
)
def test_speed_up_is_for_a_row(setting: list[str]) -> None:
    main, *baselines = run(small(*setting)).arms
    assert baselines
    assert main.trained_rows
    for other in baselines:
        assert other.trained_rows == 3 * 403
        expected = (other.seconds / other.trained_rows) / (main.seconds / main.trained_rows)
        assert other.speed_up == faster(main, other) == pytest.approx(expected)


def test_the_table_says_how_much_less_was_trained() -> None:
    outcome = run(small("strategy.fraction_train=0.25"))
    share = f"{100 * (outcome.arms[0].trained_rows or 0) / (3 * 403):.0f} %"
    assert f"federated trained on {share} of the rows of sequential, 1 thread" in repr(outcome)


WAVES = ["scheme=batch_parallel", "accumulate=4", "model.momentum=0.5"]


@pytest.mark.parametrize(
    "setting",
    [WAVES, ["scheme=pipeline", "accumulate=4"], ["scheme=sequential", "accumulate=4"], ["accumulate=4"]],
    ids=" ".join,
)
def test_sums_of_gradients_are_compared_with_plain_steps_of_the_same_update(
    setting: list[str],
) -> None:
    outcome = run(small(*setting))
    plain = "sequential, plain step"
    assert [arm.name for arm in outcome.arms][1:3] == [plain, "sequential, 1 thread"]
    momentum = [option for option in setting if option.startswith("model.")]
    alone = run(small("scheme=sequential", "batch_size=64", "accumulate=1", "baseline=false", *momentum))
    assert outcome.hashes[plain] == alone.hashes["sequential"] != outcome.hashes["sequential, 1 thread"]


def test_where_each_batch_makes_an_update_there_is_no_other_plain_step() -> None:
    outcome = run(small())
    assert [arm.name for arm in outcome.arms][:2] == ["federated", "sequential, 1 thread"]


def test_the_plain_step_goes_on_after_a_resume(tmp_path: Path) -> None:
    whole = run(small(*WAVES))
    first = run(small(*WAVES, "rounds=2", "checkpoint_every=1"), tmp_path)
    assert first.hashes != whole.hashes
    (tmp_path / "summary.json").unlink()
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().partition("# sha256")[0].replace("rounds: 2", "rounds: 3"))
    assert fedlocal.resume(tmp_path).hashes == whole.hashes


@pytest.fixture
def hopeless(monkeypatch: pytest.MonkeyPatch) -> str:
    """Have all cores take too long from the start; return the name of that baseline."""
    cores = max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
    monkeypatch.setattr(baselines, "usable_cores", lambda: cores)
    monkeypatch.setattr(baselines, "MOST_TIMES", 0.0)
    monkeypatch.setattr(baselines, "PATIENCE", 0.0)
    return f"sequential, {cores} threads"


def test_all_cores_are_ended_when_they_take_many_times_as_long(hopeless: str, tmp_path: Path) -> None:
    expected = run(small("baseline=false")).hashes["federated"]
    outcome = run(small(), tmp_path)
    _, alone, ended = outcome.arms
    assert (ended.name, ended.ended, ended.speed_up, ended.accuracy) == (hopeless, 1, None, None)
    assert alone.speed_up
    assert alone.accuracy is not None
    assert outcome.hashes.keys() == {"federated", "sequential, 1 thread"}
    assert outcome.hashes["federated"] == expected
    assert f"ended: {hopeless}, in round 1" in repr(outcome)
    assert [arm.ended for arm in fedlocal.results.read_run(tmp_path).arms] == [None, None, 1]


def test_all_cores_that_were_ended_have_no_error_of_real_targets(hopeless: str) -> None:
    main, alone, ended = run(small("dataset.task=regression", "model=regressor", "model.hidden=[8]")).arms
    assert main.rmse is not None
    assert alone.rmse is not None
    assert (ended.name, ended.loss, ended.rmse) == (hopeless, None, None)


def test_a_resumed_run_still_says_that_all_cores_were_ended(hopeless: str, tmp_path: Path) -> None:
    run(small("rounds=2", "checkpoint_every=1"), tmp_path)
    (tmp_path / "summary.json").unlink()
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().partition("# sha256")[0].replace("rounds: 2", "rounds: 3"))
    arms = fedlocal.resume(tmp_path).arms
    assert [(arm.name, arm.ended) for arm in arms][1:] == [("sequential, 1 thread", None), (hopeless, 1)]


def test_runs_of_a_sweep_take_over_that_all_cores_were_ended(hopeless: str, tmp_path: Path) -> None:
    runs = []
    for name in ("0", "1"):
        (tmp_path / name).mkdir()
        runs.append(run(small(), tmp_path / name, sweep=tmp_path))
    assert [(arm.name, arm.ended, arm.reused) for arm in runs[1].arms[1:]] == [
        ("sequential, 1 thread", None, "0"),
        (hopeless, 1, "0"),
    ]
    assert runs[0].hashes == runs[1].hashes


def test_training_that_may_take_no_longer_is_ended_between_two_batches() -> None:
    from fedlocal.experiment.groups import build_groups
    from fedlocal.experiment.setup import prepare

    config = small()
    setting = prepare(config, build_groups(config))
    with setting.slices.shards:
        for plain in (False, True):
            training = SequentialRun(setting, plain=plain)
            before = weights_hash(training.model.arrays)
            with pytest.raises(OverTimeError):
                training.step(limit=-1.0)
            assert weights_hash(training.model.arrays) == before
