"""Whatever a client sends becomes its own error; all others go on as if it had raised an exception."""

import gc
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
from flwr.serverapp import strategy as flower
from numpy.typing import NDArray

from fedlocal.actors import ActorSystem, InlineSystem
from fedlocal.actors.text import LONGEST
from fedlocal.flower.admission.policy import Declaration
from fedlocal.flower.admission.strict import Strict
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.server.round_loop import FederatedRound, QuorumError, RoundLoop
from fedlocal.strategies.fedavg import FedAvg
from tests.flower.client.mischief import (
    ADMITTED,
    ANSWERS,
    BAD,
    CLIENTS,
    CONTENTS,
    EVALUATIONS,
    GARBLED,
    IMPERSONATE,
    REMEMBER,
    ROWS,
    GarblingActors,
    GarblingGuests,
    start,
)

INITIAL = {
    "w": np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2),
    "b": np.zeros(2, dtype=np.float32),
}
GOOD = [client for client in range(CLIENTS) if client != BAD]


@pytest.fixture(scope="module", params=["inline", "actors"])
def grid(request: pytest.FixtureRequest) -> Iterator[LocalGrid]:
    costs = [1.0] * CLIENTS
    with quiet():
        if request.param == "inline":
            with LocalGrid(InlineSystem(partial(GarblingGuests, start)), costs) as opened:
                yield opened
        else:
            system = ActorSystem(partial(GarblingActors, start), workers=2)
            with LocalGrid(system, costs) as opened:
                yield opened


def telling(kind: type[flower.FedAvg], training: str, evaluation: str = "", **settings: Any) -> flower.FedAvg:
    """Return a strategy of a kind that tells the bad client what to do."""

    class Telling(kind):  # type: ignore[misc, valid-type]
        def configure_train(self, server_round: int, arrays: Any, config: Any, grid: Any) -> Any:
            config["mischief"] = training
            return super().configure_train(server_round, arrays, config, grid)

        def configure_evaluate(self, server_round: int, arrays: Any, config: Any, grid: Any) -> Any:
            config["mischief"] = evaluation
            return super().configure_evaluate(server_round, arrays, config, grid)

    made: flower.FedAvg = Telling(**{"fraction_evaluate": 1.0 if evaluation else 0.0, **settings})
    return made


def run(grid: LocalGrid, strategy: flower.FedAvg, min_results: int | None = 1) -> FederatedRound:
    admission = Strict([ROWS] * CLIENTS, [4] * CLIENTS, Declaration(losses=("train-loss",)))
    loop = RoundLoop(strategy, 2, 1, lambda *_: {}, admission, min_results)
    *_, last = loop.run(grid, INITIAL)
    return last


def bits(arrays: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    assert {name: (array.dtype, array.shape) for name, array in arrays.items()} == {
        name: (array.dtype, array.shape) for name, array in INITIAL.items()
    }
    return {name: array.tobytes() for name, array in arrays.items()}


BAD_REPLIES = {
    **{name: reason for name, (_, reason) in CONTENTS.items()},
    **{name: reason for name, (_, reason) in ANSWERS.items()},
    **{f"garbled: {name}": "client 2: invalid reply: " for name in GARBLED},
}


@pytest.mark.parametrize("name", BAD_REPLIES)
def test_a_bad_reply_is_the_error_of_its_client_alone(grid: LocalGrid, name: str) -> None:
    for kind in (FedAvg, flower.FedMedian):
        last = run(grid, telling(kind, name))
        expected = run(grid, telling(kind, "raises"))
        assert list(last.errors) == [BAD]
        assert BAD_REPLIES[name] in last.errors[BAD]
        assert len(last.errors[BAD]) <= LONGEST
        assert all(letter.isprintable() or letter in "\n\t" for letter in last.errors[BAD])
        assert bits(last.arrays) == bits(expected.arrays)
        assert all(np.isfinite(array).all() for array in last.arrays.values())
        assert last.client_metrics == expected.client_metrics
        assert list(last.client_metrics) == GOOD
        assert last.train_metrics == expected.train_metrics


@pytest.fixture
def little_to_collect() -> Iterator[None]:
    """Leave what is there to itself: some of Flower's strategies collect garbage for each reply."""
    gc.freeze()
    yield
    gc.unfreeze()


LACKING = {"a list where others have a number", "a metric less"}


@pytest.mark.parametrize("name", ADMITTED)
def test_an_unusual_reply_counts_and_metrics_are_those_that_all_have(grid: LocalGrid, name: str) -> None:
    usual = {kind: run(grid, telling(kind, "as it should be")) for kind in (FedAvg, flower.FedAvg)}
    for kind, expected in usual.items():
        last = run(grid, telling(kind, name), min_results=None)
        assert not last.errors
        assert bits(last.arrays) == bits(expected.arrays)
        common = {"train-loss"} if name in LACKING else {"train-loss", "extra"}
        assert set(last.train_metrics) == common
        assert last.train_metrics["train-loss"] == expected.train_metrics["train-loss"]
        assert last.client_metrics[GOOD[0]] == expected.client_metrics[GOOD[0]]


@pytest.mark.usefixtures("little_to_collect")
@pytest.mark.parametrize(
    "make",
    [
        partial(telling, flower.FedAvg),
        partial(telling, flower.FedAvgM, server_momentum=0.9),
        partial(telling, flower.FedAdam),
        partial(telling, flower.FedYogi),
        partial(telling, flower.FedAdagrad),
        partial(telling, flower.FedMedian),
        partial(telling, flower.FedTrimmedAvg),
        partial(telling, flower.FedProx, proximal_mu=0.1),
        partial(telling, flower.Krum),
        partial(telling, flower.MultiKrum, num_malicious_nodes=0, num_nodes_to_select=2),
        partial(telling, flower.Bulyan),
        partial(telling, flower.QFedAvg, client_learning_rate=0.1, train_loss_key="train-loss"),
    ],
)
def test_no_strategy_of_flowers_sees_replies_that_do_not_fit_together(grid: LocalGrid, make: Any) -> None:
    for name in (
        "a metric of its own",
        "a list of another length",
        "a metric less",
        "a config record",
        "nan",
    ):
        last = run(grid, make(name))
        assert all(np.isfinite(array).all() for array in last.arrays.values()), name
        assert "train-loss" in last.train_metrics
        assert list(last.errors) == ([] if name in ADMITTED else [BAD])


@pytest.mark.parametrize("name", EVALUATIONS)
def test_a_bad_reply_to_evaluation_is_that_clients_error(grid: LocalGrid, name: str) -> None:
    reason = EVALUATIONS[name][1]
    for kind in (FedAvg, flower.FedAvg):
        last = run(grid, telling(kind, "", name))
        good = GOOD if reason or "nan" in name else range(CLIENTS)
        weights = [client % 4 + 1 for client in good]
        assert last.evaluate_metrics["loss"] == pytest.approx(np.average(list(good), weights=weights))
        assert set(last.evaluate_metrics) == ({"loss"} if name in LACKING else {"loss", "extra"})
        assert not last.errors
        if reason is None:
            assert not last.evaluation_errors
        else:
            assert list(last.evaluation_errors) == [BAD]
            assert reason in last.evaluation_errors[BAD]


def test_the_sender_of_a_reply_is_the_client_that_was_asked(grid: LocalGrid) -> None:
    last = run(grid, telling(FedAvg, IMPERSONATE), min_results=None)
    assert sorted(last.client_metrics) == list(range(CLIENTS))
    assert bits(last.arrays) == bits(run(grid, telling(FedAvg, "as it should be")).arrays)


@pytest.mark.parametrize("kind", [FedAvg, flower.FedMedian, flower.FedAvgM])
def test_the_server_never_loads_a_file_of_numpys(
    grid: LocalGrid, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np, "load", None)
    for name in ("flower's own array", "a pickle", "claims much", "an archive"):
        assert list(run(grid, telling(kind, name)).errors) == ([] if name in ADMITTED else [BAD])


def test_too_few_good_replies_end_the_run_and_tell_the_reason(grid: LocalGrid) -> None:
    with pytest.raises(
        QuorumError, match=r"1 of 5 clients failed, 5 must reply .* client 2: w is not finite"
    ):
        run(grid, telling(FedAvg, "nan"), min_results=None)


def test_a_state_that_cannot_be_kept_leaves_the_prior_one(grid: LocalGrid) -> None:
    run(grid, telling(FedAvg, REMEMBER))
    before = grid._system.states()
    assert list(before) == [BAD]
    for name in ANSWERS:
        if "state" in name:
            run(grid, telling(FedAvg, name))
            assert grid._system.states() == before
