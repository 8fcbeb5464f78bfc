"""Malicious actors among honest ones: the same bits wherever they run, and what strategies make of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.serverapp.strategy import FedMedian

from fedlocal import Run, compose, resume, run
from fedlocal.attacks.attacks import AttackError
from fedlocal.config.schema import ConfigError
from fedlocal.flower.node.client_runner import partition_of
from fedlocal.flower.server.round_loop import QuorumError

SMALL = (
    "dataset=synthetic",
    "dataset.train=403",
    "dataset.test=100",
    "dataset.shape=[6,6]",
    "actors=5",
    "rounds=2",
    "model.hidden=[8]",
    "baseline=false",
    "display=off",
)
ATTACKS = ("label_flip", "sign_flip", "scaling", "noise", "nans", "colluding")


def ran(*overrides: str, folder: Path | None = None) -> Run:
    return run(compose(*SMALL, *overrides), folder)


def weights(*overrides: str) -> dict[str, Any]:
    return dict(ran("backend=inline", *overrides).models["model"])


@pytest.mark.parametrize("attack", ATTACKS)
def test_backends_and_numbers_of_workers_give_the_same_bits(attack: str) -> None:
    options = (f"attack={attack}", "attack.share=0.4", "partition=dirichlet")
    places = (["backend=inline"], ["backend=actors", "workers=1"], ["backend=actors", "workers=3"])
    assert len({ran(*options, *where).hashes["federated"] for where in places}) == 1


def test_colluders_that_keep_their_optimizers_have_the_same_bits_everywhere() -> None:
    options = ("attack=colluding", "attack.actors=[1,3]", "model.momentum=0.9", "optimizer_state=keep")
    places = (["backend=inline"], ["backend=actors", "workers=2"])
    assert len({ran(*options, *where).hashes["federated"] for where in places}) == 1


@pytest.mark.slow
def test_malicious_clients_with_actors_of_their_own_have_the_bits_of_plain_malicious_clients() -> None:
    options = ("backend=inline", "attack=colluding", "attack.actors=[1,3]", "rounds=1", "accumulate=2")
    assert ran(*options, "client=nested", "client.workers=1").hashes == ran(*options).hashes


def test_a_share_of_zero_has_the_bits_of_no_attack() -> None:
    plain = ran("backend=inline").hashes
    for attack in ("attack=noise", "attack=colluding", "attack=nans"):
        assert ran("backend=inline", attack, "attack.share=0").hashes == plain


def test_clients_that_train_alone_have_the_bits_of_those_that_train_together() -> None:
    """The attack that changes nothing leaves nothing changed: the wrapper itself has no bits of its own."""
    same = ran(
        "attack=scaling", "attack.factor=1", "attack.flip=false", "attack.share=1", "model.learning_rate=0"
    )
    assert same.hashes == ran("model.learning_rate=0").hashes
    source = ("attack=label_flip", "attack.source=1", "attack.target=1", "attack.share=1")
    assert ran(*source, "backend=actors").hashes == ran("backend=actors").hashes


def test_one_malicious_actor_alone_sends_what_its_attack_says() -> None:
    """With all rows in the hands of one actor, the model is what that actor sends."""
    alone = ("actors=1", "rounds=1", "attack.actors=[0]")
    start, honest = weights("actors=1", "rounds=1", "model.learning_rate=0"), weights("actors=1", "rounds=1")
    flipped = weights(*alone, "attack=sign_flip", "attack.scale=2")
    noisy = weights(*alone, "attack=noise", "attack.deviation=100")
    for name, initial in start.items():
        np.testing.assert_allclose(flipped[name] - initial, -2 * (honest[name] - initial), atol=1e-5)
    assert np.std(noisy["layer0.weight"] - honest["layer0.weight"]) == pytest.approx(100, rel=0.2)


def test_flipped_labels_are_learned_and_held_out_rows_stay_as_they_are() -> None:
    options = ("backend=inline", "rounds=30", "strategy.fraction_evaluate=1", "attack.share=1")
    outcome = ran(*options, "attack=label_flip", "dataset.train=1200")
    last = outcome.histories["federated"].rounds[-1]
    chance = 1 / 10
    assert last.metrics["accuracy"] < chance
    assert last.metrics["client-accuracy"] < chance


def test_colluders_all_send_the_same_update_and_honest_clients_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aggregate, seen = FedMedian.aggregate_train, list[dict[int, Any]]()

    def watch(self: FedMedian, number: int, replies: Any) -> Any:
        by_actor = {partition_of(reply.metadata.src_node_id): reply for reply in replies}
        seen.append({at: reply.content["arrays"]["layer0.weight"].numpy() for at, reply in by_actor.items()})
        return aggregate(self, number, replies)

    monkeypatch.setattr(FedMedian, "aggregate_train", watch)
    options = ("attack=colluding", "attack.actors=[1,2,4]", "model.momentum=0.9", "optimizer_state=keep")
    ran("backend=inline", "strategy=fedmedian", *options)
    assert len(seen) == 2
    for sent in seen:
        assert np.array_equal(sent[1], sent[2])
        assert np.array_equal(sent[1], sent[4])
        assert not np.array_equal(sent[0], sent[1])
        assert not np.array_equal(sent[0], sent[3])


def test_an_update_of_nan_is_its_senders_error_and_the_run_goes_on() -> None:
    outcome = ran("backend=inline", "attack=nans", "attack.actors=[1,3]")
    for round_ in outcome.histories["federated"].rounds[1:]:
        assert [error.actor for error in round_.errors] == [1, 3]
        assert "not finite" in round_.errors[0].reason
    honest = ran("backend=inline", "attack=nans", "attack.actors=[3,1]", "strategy=fedmedian")
    assert np.isfinite(honest.models["model"]["layer0.weight"]).all()
    with pytest.raises(QuorumError, match=r"2 of 5 clients failed, 5 must reply \(min_results\)"):
        ran("backend=inline", "attack=nans", "attack.actors=[1,3]", "min_results=null")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures, which take more time than all the rest."""
    monkeypatch.setattr("fedlocal.experiment.summary.draw", lambda *_: None)


@pytest.mark.usefixtures("undrawn")
def test_the_folder_says_who_was_malicious(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "fedlocal"):
        ran("backend=inline", "attack=sign_flip", "attack.actors=[2,0]", folder=tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text())["malicious"] == [0, 2]
    assert "2 of 5 actors are malicious: 0, 2" in caplog.text


@pytest.mark.usefixtures("undrawn")
def test_a_run_goes_on_with_the_same_malicious_actors(tmp_path: Path) -> None:
    options = ("backend=inline", "attack=noise", "attack.share=0.4", "strategy=norm_clipping")
    whole = ran(*options).hashes
    ran(*options, folder=tmp_path)
    (tmp_path / "summary.json").unlink()  # as if it had been killed before the second round
    (tmp_path / "checkpoints" / "round-000002.ckpt").unlink()
    assert resume(tmp_path).hashes == whole


@pytest.mark.parametrize(
    ("overrides", "error", "reason"),
    [
        (["attack=noise", "attack.actors=[5]"], AttackError, "actor 5 is not of 0 to 4"),
        (["attack=noise", "attack.share=0.01"], AttackError, "of actors=5 that is nobody"),
        (["attack=colluding"], AttackError, "nobody to collude with"),
        (
            ["attack=noise", "scheme=batch_parallel"],
            ConfigError,
            "has no server to attack; set attack=none, or choose another scheme: federated",
        ),
        (["attack=noise", "scheme=sequential"], ConfigError, "set attack=none"),
        (
            ["attack=label_flip", "dataset.task=regression", "model=paper"],
            AttackError,
            "no labels to flip",
        ),
    ],
)
def test_an_impossible_attack_ends_with_the_reason(overrides: list[str], error: Any, reason: str) -> None:
    with pytest.raises(error, match=reason):
        ran("backend=inline", *overrides)


ROBUST = {
    "fedmedian": [],
    "fedtrimmedavg": [],
    "krum": [],
    "multikrum": ["strategy.num_nodes_to_select=4"],
    "norm_clipping": [],
}
SHORT = ("backend=inline", "actors=5", "rounds=3", "baseline=false", "display=off", "evaluate_every=3")


def accuracy(*overrides: str) -> float:
    accuracy = run(compose(*SHORT, *overrides)).arms[0].accuracy
    assert accuracy is not None
    return accuracy


@pytest.mark.parametrize("strategy", ROBUST)
@pytest.mark.parametrize("attack", ["scaling", "sign_flip", "noise"])
@pytest.mark.slow
def test_robust_strategies_hold_where_the_mean_fails(attack: str, strategy: str) -> None:
    attacked = (f"attack={attack}", "attack.actors=[1]")
    robust = accuracy(*attacked, f"strategy={strategy}", *ROBUST[strategy])
    assert robust > max(0.75, accuracy(*attacked) + 0.1)


def test_clipped_updates_do_no_harm_where_the_mean_fails() -> None:
    attacked = ("attack=scaling", "attack.actors=[1]")
    assert accuracy(*attacked, "strategy=norm_clipping") > max(0.75, accuracy(*attacked) + 0.1)
