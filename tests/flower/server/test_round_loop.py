"""fedlocal's round loop does what Flower's does, and what Flower's cannot."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp import strategy as flower

from fedlocal.actors import InlineSystem
from fedlocal.flower.admission.strict import Strict
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.node.client_runner import InlineClientActors
from fedlocal.flower.server.round_loop import Arrays, FederatedRound, QuorumError, RoundLoop
from fedlocal.schemes.federated_rounds import errors
from fedlocal.strategies.fedavg import FedAvg
from tests.flower.apps import start

ROUNDS = 3
INITIAL = {"w": np.linspace(-1, 1, 7, dtype=np.float32), "b": np.zeros((2, 2), dtype=np.float32)}
ALL: dict[str, Any] = {"min_train_nodes": 1, "min_evaluate_nodes": 1, "min_available_nodes": 1}


@pytest.fixture
def grid() -> Iterator[LocalGrid]:
    with quiet(), LocalGrid(InlineSystem(partial(InlineClientActors, start)), [1.0] * 5) as opened:
        yield opened


class Everything:
    uniform = True

    def structure(self, replies: Sequence[Message], *sent: ArrayRecord) -> list[Message]:
        return list(replies)

    def values(self, replies: Sequence[Message]) -> list[Message]:
        return list(replies)

    evaluation = values


def loop(strategy: flower.Strategy, **settings: Any) -> RoundLoop:
    defaults: dict[str, Any] = {
        "rounds": ROUNDS,
        "seed": 1,
        "evaluate": evaluate,
        "admission": Everything(),
    }
    return RoundLoop(strategy, **{**defaults, **settings})


def evaluate(number: int, arrays: Arrays) -> Mapping[str, float]:
    return {"mean": float(np.mean(arrays["w"])), "number": float(number)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: flower.FedAvg(**ALL),
        lambda: FedAvg(**ALL),
        lambda: flower.FedAvgM(**ALL, server_learning_rate=0.5, server_momentum=0.9),
        lambda: flower.FedMedian(**ALL),
        lambda: flower.FedTrimmedAvg(**ALL),
        lambda: flower.FedProx(**ALL, proximal_mu=0.1),
        lambda: flower.Krum(**ALL, num_malicious_nodes=1),
        lambda: flower.MultiKrum(**ALL, num_malicious_nodes=1, num_nodes_to_select=2),
        pytest.param(lambda: flower.Bulyan(**ALL), marks=pytest.mark.slow),
    ],
)
def test_the_round_loop_ends_with_the_bits_and_metrics_of_strategy_start(grid: LocalGrid, make: Any) -> None:
    def evaluate_record(number: int, record: Any) -> MetricRecord:
        return MetricRecord(dict(evaluate(number, ndarrays(record))))

    expected = make().start(grid, array_record(INITIAL), num_rounds=ROUNDS, evaluate_fn=evaluate_record)
    ours = list(loop(make()).run(grid, INITIAL))
    for name, array in ndarrays(expected.arrays).items():
        assert ours[-1].arrays[name].tobytes() == array.astype(np.float32).tobytes(), name
    for round_ in ours:
        assert dict(round_.server_metrics) == dict(expected.evaluate_metrics_serverapp[round_.number])
    for round_ in ours[1:]:
        assert dict(round_.train_metrics) == dict(expected.train_metrics_clientapp[round_.number])
        assert dict(round_.evaluate_metrics) == dict(expected.evaluate_metrics_clientapp[round_.number])


def test_round_0_is_the_initial_model(grid: LocalGrid) -> None:
    first = next(loop(FedAvg(**ALL)).run(grid, INITIAL))
    assert first.number == 0
    assert first.server_metrics["number"] == 0
    np.testing.assert_array_equal(first.arrays["w"], INITIAL["w"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: flower.FedAdam(**ALL),
        lambda: flower.FedYogi(**ALL),
        lambda: flower.FedAdagrad(**ALL),
        pytest.param(
            lambda: flower.QFedAvg(client_learning_rate=0.1, train_loss_key="train-loss", **ALL),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_dtype_of_the_model_is_kept_where_a_strategy_computes_in_float64(
    grid: LocalGrid, make: Any
) -> None:
    expected = make().start(grid, array_record(INITIAL), num_rounds=ROUNDS)
    *_, last = loop(make()).run(grid, INITIAL)
    for name, array in ndarrays(expected.arrays).items():
        assert last.arrays[name].dtype == np.float32
        np.testing.assert_allclose(last.arrays[name], array, rtol=1e-5, atol=1e-6)


def _sampled(grid: LocalGrid, seed: int) -> list[list[int]]:
    strategy = FedAvg(**ALL, fraction_train=0.4, fraction_evaluate=0.0)
    return [
        sorted(round_.client_metrics) for round_ in loop(strategy, seed=seed, rounds=8).run(grid, INITIAL)
    ][1:]


def test_the_seed_chooses_the_clients_and_nothing_else_does(grid: LocalGrid) -> None:
    first = _sampled(grid, 1)
    random.seed(99)
    before = random.getstate()
    assert _sampled(grid, 1) == first
    assert random.getstate() == before
    assert _sampled(grid, 2) != first
    assert {len(clients) for clients in first} == {2}
    assert len({tuple(clients) for clients in first}) > 1


class Failing(flower.FedAvg):
    """Asks for an action that fails on odd partitions."""

    def configure_train(self, *args: Any, **kwargs: Any) -> Any:
        messages = list(super().configure_train(*args, **kwargs))
        for message in messages:
            message.metadata.message_type = "train.fail_on_odd"
        return messages

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        return array_record(INITIAL), None


def test_a_failed_client_ends_the_run_with_its_traceback(grid: LocalGrid) -> None:
    rounds = loop(Failing(**ALL)).run(grid, INITIAL)
    next(rounds)
    with pytest.raises(QuorumError, match="round 1: 2 of 5 clients failed, 5 must reply") as caught:
        next(rounds)
    assert "client 1: RuntimeError: odd partitions fail" in str(caught.value)
    assert "Traceback" in str(caught.value)


def test_a_quorum_lets_the_run_go_on_and_names_the_errors(grid: LocalGrid) -> None:
    *_, last = loop(Failing(**ALL, fraction_evaluate=0.0), min_results=3).run(grid, INITIAL)
    assert last.number == ROUNDS
    assert sorted(last.errors) == [1, 3]
    assert sorted(last.client_metrics) == [0, 2, 4]


class FailingEachThird(Failing):
    """Asks for what odd clients fail to do in each third round."""

    def configure_train(self, server_round: int, *args: Any, **kwargs: Any) -> Any:
        kind = FailingEachThird if server_round % 3 == 0 else Failing
        return super(kind, self).configure_train(server_round, *args, **kwargs)


def test_a_client_that_raises_now_and_then_is_asked_again_and_not_twice(grid: LocalGrid) -> None:
    settings = replace(loop(FailingEachThird(**ALL, fraction_evaluate=0.0), min_results=3), rounds=7)
    _, *rounds = settings.run(grid, INITIAL)
    assert [sorted(round_.errors) for round_ in rounds] == [[], [], [1, 3], [], [], [1, 3], []]
    assert "Traceback" in rounds[2].errors[1]


class FailingToEvaluate(flower.FedAvg):
    """Asks for an evaluation that fails on odd partitions."""

    def configure_evaluate(self, *args: Any, **kwargs: Any) -> Any:
        messages = list(super().configure_evaluate(*args, **kwargs))
        for message in messages:
            message.metadata.message_type = "evaluate.fail_on_odd"
        return messages


def test_clients_that_fail_to_evaluate_end_the_run_as_clients_that_fail_to_train_do(grid: LocalGrid) -> None:
    with pytest.raises(
        QuorumError, match="round 1: 2 of 5 clients failed to evaluate, 5 must reply"
    ) as caught:
        list(loop(FailingToEvaluate(**ALL)).run(grid, INITIAL))
    assert "client 1: RuntimeError: odd partitions fail" in str(caught.value)
    with pytest.raises(QuorumError, match="failed to evaluate, 4 must reply"):
        list(loop(FailingToEvaluate(**ALL), min_results=4).run(grid, INITIAL))
    *_, last = loop(FailingToEvaluate(**ALL), min_results=3).run(grid, INITIAL)
    assert (dict(last.errors), sorted(last.evaluation_errors)) == ({}, [1, 3])
    assert sorted(last.client_evaluations) == [0, 2, 4]


def test_an_evaluation_needs_no_more_replies_than_clients_are_asked(grid: LocalGrid) -> None:
    few = flower.FedAvg(**ALL, fraction_evaluate=0.4)
    *_, last = loop(few, min_results=3).run(grid, INITIAL)
    assert len(last.client_evaluations) == 2


class BothFailing(Failing, FailingToEvaluate):
    """Asks for what fails in both phases."""


def test_errors_in_both_phases_are_counted_in_both(grid: LocalGrid) -> None:
    *_, last = loop(BothFailing(**ALL), min_results=0).run(grid, INITIAL)
    assert [(error.actor, error.phase) for error in errors(last)] == [
        (1, "train"),
        (3, "train"),
        (1, "client"),
        (3, "client"),
    ]


class Losing(flower.FedAvg):
    """Returns no model."""

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        return None, None


def test_a_strategy_that_gives_no_model_ends_the_run(grid: LocalGrid) -> None:
    with pytest.raises(QuorumError, match="Losing gave no model"):
        list(loop(Losing(**ALL)).run(grid, INITIAL))


class Overflowing(flower.FedAvg):
    """Computes more than floats hold."""

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        arrays = {name: np.full(array.shape, 1e300) for name, array in INITIAL.items()}
        return array_record(arrays), None


def test_a_model_that_is_not_finite_ends_the_run(grid: LocalGrid) -> None:
    with pytest.raises(QuorumError, match=r"round 1: Overflowing gave arrays that are not finite \(w, b\)"):
        list(loop(Overflowing(**ALL)).run(grid, INITIAL))


class Nobody(Everything):
    """Excuses everybody."""

    def structure(self, replies: Sequence[Message], *sent: ArrayRecord) -> list[Message]:
        return []


@pytest.mark.parametrize("make", [FedAvg, flower.FedAvg, flower.FedMedian])
def test_a_round_in_which_nobody_has_anything_to_add_keeps_the_model(
    grid: LocalGrid, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    *_, last = loop(make(**ALL), admission=Nobody()).run(grid, INITIAL)
    assert last.number == ROUNDS
    assert {name: array.tobytes() for name, array in last.arrays.items()} == {
        name: array.tobytes() for name, array in INITIAL.items()
    }
    assert not last.train_metrics
    assert "round 1: no client had anything to add, the model stays as it was" in caplog.text


@pytest.mark.parametrize("make", [FedAvg, flower.FedAvg])
def test_a_round_in_which_all_clients_fail_keeps_the_model_where_no_quorum_is_asked_for(
    grid: LocalGrid, make: Any
) -> None:
    admission = Strict([0] * 5)  # nobody can have trained on the rows that they say
    *_, last = loop(make(**ALL), admission=admission, min_results=0).run(grid, INITIAL)
    assert sorted(last.errors) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(last.arrays["w"], INITIAL["w"])
    with pytest.raises(QuorumError, match="5 of 5 clients failed, 1 must reply"):
        list(loop(make(**ALL), admission=admission, min_results=1).run(grid, INITIAL))


def test_a_round_records_the_time_of_its_steps(grid: LocalGrid) -> None:
    before = time.perf_counter()
    *_, last = loop(FedAvg(**ALL)).run(grid, INITIAL)
    elapsed = time.perf_counter() - before
    assert isinstance(last, FederatedRound)
    assert last.exchange
    assert set(last.spans) == {"configure", "exchange", "aggregation", "evaluation"}
    assert min(last.spans.values()) > 0
    assert sum(last.spans.values()) < elapsed
