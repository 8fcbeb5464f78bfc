"""Actors that come and go change what is learned, and nothing else does: one seed, one result."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fedlocal
from fedlocal import History, Run, compose, run
from fedlocal.availability import AvailabilityError
from fedlocal.config.schema import ConfigError
from fedlocal.flower.server.round_loop import QuorumError
from tests.experiment.test_resume import assert_same, killed, reached
from tests.schemes.test_bits import SMALL, final_hash, trained

pytestmark = pytest.mark.usefixtures("no_leaks")

INLINE = "backend=inline"
AVAILABILITIES: dict[str, list[str]] = {
    "dropout": ["availability=dropout", "availability.p=0.5", "rounds=6"],
    "mid-round": ["availability=dropout", "availability.p=0.4", "availability.mid_round=true", "rounds=6"],
    "sessions": ["availability=sessions", "availability.present=2", "availability.away=2", "rounds=6"],
    "schedule": ["availability=schedule", "availability.join={2: [0, 1, 2, 3, 4]}"],
}
KEEP = ["model.momentum=0.9", "optimizer_state=keep"]


@pytest.mark.parametrize("availability", AVAILABILITIES)
def test_backends_workers_and_elastic_workers_give_the_same_bits(availability: str) -> None:
    setting = [*AVAILABILITIES[availability], *KEEP, "strategy.fraction_evaluate=0.6"]
    places = ([INLINE], ["backend=actors", "workers=3"], ["backend=elastic", "workers=2"])
    assert len({final_hash(*setting, *where) for where in places}) == 1


def test_another_seed_has_other_actors_there() -> None:
    runs = [trained(*AVAILABILITIES["dropout"], INLINE, f"seed={seed}") for seed in (0, 1)]
    first, second = ([round_.absent for round_ in run.histories["federated"].rounds] for run in runs)
    assert first != second


def test_a_run_with_always_has_the_bits_of_a_run_that_nobody_leaves() -> None:
    expected = trained(INLINE)
    never = trained("availability=dropout", "availability.p=0", INLINE)
    assert never.hashes == expected.hashes
    assert "available" not in expected.histories["federated"].rounds[1].metrics
    assert never.histories["federated"].series("available") == ([1, 2, 3], [5.0, 5.0, 5.0])


def test_the_history_says_who_was_there(tmp_path: Path) -> None:
    schedule = ["availability=schedule", "availability.join={2: [1]}", "availability.leave={3: [0, 4]}"]
    run(compose(*SMALL, *schedule, INLINE, "figures=true"), tmp_path)
    history = History.load(tmp_path)
    assert [round_.absent for round_ in history.rounds[1:]] == [{1: "away"}, {}, {0: "away", 4: "away"}]
    present = [sorted(round_.actors) for round_ in history.rounds[1:]]
    assert present == [[0, 2, 3, 4], [0, 1, 2, 3, 4], [1, 2, 3]]
    assert history.series("available")[1] == [4.0, 5.0, 3.0]
    assert (tmp_path / "availability.png").read_bytes().startswith(b"\x89PNG")


def test_rounds_with_nobody_there_are_part_of_the_run(tmp_path: Path) -> None:
    nobody = [*AVAILABILITIES["schedule"], "availability.leave={3: [0, 1, 2, 3, 4]}", INLINE]
    outcome = run(compose(*SMALL, *nobody, "baseline=true", "figures=true"), tmp_path)
    history = outcome.histories["federated"]
    assert [len(round_.actors) for round_ in history.rounds] == [0, 0, 5, 0]
    accuracies = history.series("accuracy")[1]
    assert accuracies[0] == accuracies[1]
    assert accuracies[2] == accuracies[3]
    assert [len(history.rounds) for history in outcome.histories.values()] == [4] * len(outcome.histories)
    assert (tmp_path / "timeline.png").exists()


def test_a_run_with_a_quorum_ends_in_a_round_in_which_too_few_reply() -> None:
    with pytest.raises(QuorumError, match=r"round 1: .* 1 must reply \(min_results\)\. 0 of 5 clients"):
        trained(*AVAILABILITIES["schedule"], "min_results=1", INLINE)
    trained(*AVAILABILITIES["schedule"], "min_results=0", INLINE)


@pytest.mark.slow
@pytest.mark.parametrize("availability", AVAILABILITIES)
def test_a_run_that_is_killed_goes_on_with_the_same_actors(tmp_path: Path, availability: str) -> None:
    folder = tmp_path / "run"
    setting = [*SMALL, "model.hidden=[8]", *AVAILABILITIES[availability], *KEEP, "rounds=24", "workers=2"]
    killed(folder, *setting, when=lambda folder: reached(folder, 11))
    assert_same(fedlocal.resume(folder, "workers=1"), run(compose(*setting, INLINE)))


def test_a_run_goes_on_with_the_same_actors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = compose(*SMALL, "model.hidden=[8]", *AVAILABILITIES["sessions"], *KEEP, INLINE)
    whole, record = run(setting), History.record

    def interrupted(history: History, round_: Any) -> None:
        record(history, round_)
        if round_.number == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("fedlocal.experiment.summary.draw", lambda *_: None)  # it takes longer than the run
    monkeypatch.setattr(History, "record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(setting, tmp_path)
    monkeypatch.setattr(History, "record", record)
    assert_same(fedlocal.resume(tmp_path, "backend=elastic"), whole)


def test_each_actor_of_the_local_scheme_trains_when_it_is_there() -> None:
    leaves = ["availability=schedule", "availability.leave={1: [0], 2: [1]}"]
    outcome = trained("scheme=local", *leaves, INLINE)
    everybody = trained("scheme=local", INLINE)
    initial, first = (trained("scheme=local", INLINE, f"rounds={count}") for count in (3, 1))
    assert _same(outcome, everybody, "actor-2")
    assert _same(outcome, first, "actor-1")
    assert not _same(outcome, initial, "actor-0")


def _same(first: Run, other: Run, model: str) -> bool:
    pairs = zip(first.models[model].values(), other.models[model].values(), strict=True)
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)


@pytest.mark.parametrize("scheme", ["sequential", "batch_parallel"])
def test_schemes_without_clients_refuse_an_availability(scheme: str) -> None:
    with pytest.raises(ConfigError, match=f"availability: scheme={scheme} has no clients that could be away"):
        trained(f"scheme={scheme}", "availability=dropout")


def test_an_availability_that_does_not_suit_the_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AvailabilityError, match="there is no actor 5: with actors=5"):
        trained("availability=schedule", "availability.leave={2: [5]}", INLINE)
    with pytest.raises(AvailabilityError, match="cannot read"):
        trained("availability=trace", f"availability.path={tmp_path / 'absent.csv'}", INLINE)
    with pytest.raises(AvailabilityError, match=r"dropout: p=1.5"):
        trained("availability=dropout", "availability.p=1.5", INLINE)
