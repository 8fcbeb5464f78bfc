"""``actors=auto`` fixes the number before training, says why, and changes nothing else."""

import json
import logging
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from fedlocal import Run, compose, run
from fedlocal.config.schema import ConfigError
from fedlocal.data import PartitionError
from fedlocal.flower.server.round_loop import QuorumError

pytestmark = pytest.mark.usefixtures("no_leaks")

SMALL = [
    "dataset=synthetic",
    "dataset.train=200",
    "dataset.test=50",
    "dataset.shape=[4,4]",
    "model.hidden=[8]",
    "batch_size=20",
    "rounds=2",
    "baseline=false",
    "display=off",
    "figures=false",
]
INLINE = "backend=inline"


def trained(folder: Path | None, *overrides: str) -> Run:
    return run(compose(*SMALL, *overrides), folder)


def hash_of(outcome: Run) -> str:
    (hash_,) = outcome.hashes.values()
    return hash_


@pytest.mark.parametrize(
    "setting",
    [
        ["workers=2"],
        [INLINE, "strategy=fedadam", "model.momentum=0.9", "optimizer_state=keep"],
        [INLINE, "strategy.fraction_train=0.5", "strategy.fraction_evaluate=0.6", "skew=noise"],
        ["workers=2", "scheme=batch_parallel"],
        [INLINE, "availability=dropout", "availability.p=0.3"],
    ],
    ids=lambda setting: " ".join(setting),
)
def test_a_run_whose_actors_are_chosen_has_the_bits_of_a_run_with_that_number(
    tmp_path: Path, setting: list[str]
) -> None:
    chosen = trained(tmp_path, *setting, "actors=auto")
    settled = OmegaConf.load(tmp_path / "config.yaml")
    assert type(settled.actors) is int
    assert (
        len({actor for round_ in chosen.histories.popitem()[1].rounds for actor in round_.actors})
        <= settled.actors
    )
    assert hash_of(chosen) == hash_of(trained(None, *setting, f"actors={settled.actors}"))
    if settled.scheme._target_.endswith("batch_parallel"):
        assert settled.accumulate == settled.actors


def test_the_candidates_are_in_the_folder_and_go_with_the_next_run(tmp_path: Path) -> None:
    trained(tmp_path, INLINE, "actors=auto", "min_results=2")
    stored = json.loads((tmp_path / "actors.json").read_text())
    tried = [prediction["actors"] for prediction in stored["predictions"]]
    assert tried == sorted(tried)
    assert stored["actors"] in tried
    assert tried[0] == 2
    assert tried[-1] == 10  # each actor a batch
    assert "min_results=2" in stored["refused"]["1"]
    assert stored["pilot_seconds"] > 0
    trained(tmp_path, INLINE, "actors=3", "overwrite=true")
    assert not (tmp_path / "actors.json").exists()
    assert OmegaConf.load(tmp_path / "config.yaml").actors == 3


def test_a_run_says_which_number_it_chose_and_why(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        trained(None, INLINE, "actors=auto", "display=plain")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("actors=auto: ")]
    assert lines == [
        record.message for record in caplog.records if record.name == "fedlocal.autotune.choose_actors"
    ]
    assert len(lines) == 2
    assert "compute" in lines[0]
    trained(None, INLINE, "actors=auto")
    assert "actors=auto" not in capsys.readouterr().err
    trained(None, INLINE, "actors=auto", "display=plain", "scheme=batch_parallel")
    assert "an update is then the mean of" in capsys.readouterr().err


def test_a_pilot_leaves_the_process_as_it_was() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - of the process
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    trained(None, INLINE, "actors=auto")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index]  # noqa: NPY002


def test_one_batch_leaves_one_actor(tmp_path: Path) -> None:
    trained(tmp_path, "actors=auto", "workers=2", "batch_size=200")
    assert OmegaConf.load(tmp_path / "config.yaml").actors == 1


def test_the_number_of_clients_that_a_strategy_needs_is_respected(tmp_path: Path) -> None:
    needs = ["strategy.min_train_nodes=3", "strategy.min_available_nodes=3"]
    trained(tmp_path, INLINE, "actors=auto", *needs)
    stored = json.loads((tmp_path / "actors.json").read_text())
    assert set(stored["refused"]) == {"1", "2"}
    assert stored["actors"] >= 3


@pytest.mark.parametrize(
    ("overrides", "error", "reason"),
    [
        (["scheme=local"], ConfigError, "actors=auto: scheme=local has no best number of actors"),
        (["scheme=sequential"], ConfigError, "choose another scheme: batch_parallel, federated"),
        (
            ["partition=sizes", "partition.proportions=[3,2,1]"],
            PartitionError,
            r"3 sizes for(.|\n)*give a number",
        ),
        (["partition=group"], PartitionError, "group needs natural group ids"),
        (["min_results=99"], ConfigError, "no number from 1 to 10 will do; with 1: min_results=99"),
    ],
)
def test_a_run_without_a_choice_of_actors_is_refused(overrides: list[str], error: Any, reason: str) -> None:
    with pytest.raises(error, match=reason):
        trained(None, INLINE, "actors=auto", *overrides)


def test_numbers_of_actors_that_an_availability_rules_out_are_refused(tmp_path: Path) -> None:
    leaving = ["availability=schedule", "availability.leave={2: [5]}"]
    trained(tmp_path, INLINE, "actors=auto", *leaving)
    stored = json.loads((tmp_path / "actors.json").read_text())
    assert min(prediction["actors"] for prediction in stored["predictions"]) == 6
    assert {"1", "2", "3", "4"} <= set(stored["refused"])


def test_a_pilot_that_fails_says_that_it_was_a_pilot() -> None:
    with pytest.raises(QuorumError, match=r"smaller learning rate(.|\n)*pilot of actors=auto"):
        trained(None, INLINE, "actors=auto", "model.learning_rate=1e30", "model.loss=cross_entropy")
