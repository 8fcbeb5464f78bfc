"""Clients come and go between rounds, and strategies never wait for one that is not there."""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from flwr.app import Message
from flwr.serverapp import strategy as flower

from fedlocal.actors import InlineSystem
from fedlocal.availability import Presence, Presences
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.messages.arrays import array_record
from fedlocal.flower.node.client_runner import InlineClientActors, partition_of
from fedlocal.flower.server.participation import admit
from fedlocal.flower.server.round_loop import FederatedRound, QuorumError
from fedlocal.strategies.fedavg import FedAvg
from tests.flower.apps import start
from tests.flower.server.test_round_loop import ALL, INITIAL, loop

ACTORS = 5


@pytest.fixture
def grid() -> Iterator[LocalGrid]:
    with quiet(), LocalGrid(InlineSystem(partial(InlineClientActors, start)), [1.0] * ACTORS) as opened:
        yield opened


def rounds_of(*rounds: Sequence[int], lost: Sequence[Sequence[int]] = ()) -> Presences:
    """Return who is there, and who of them is lost, round by round; afterwards nobody is."""

    def presences() -> Iterator[Presence]:
        for at, actors in enumerate(rounds):
            gone = lost[at] if at < len(lost) else []
            yield Presence(np.isin(range(ACTORS), actors), np.isin(range(ACTORS), gone))

    return presences


def run(
    grid: LocalGrid, strategy: flower.Strategy, presences: Presences, **settings: Any
) -> list[FederatedRound]:
    settings = {"rounds": 3, "presences": presences, **settings}
    return list(loop(strategy, **settings).run(grid, INITIAL))


def trained(rounds: list[FederatedRound]) -> list[list[int]]:
    return [sorted(round_.client_metrics) for round_ in rounds[1:]]


CENTRAL: dict[str, Any] = {**ALL, "fraction_evaluate": 0.0}
STRATEGIES = [
    lambda **more: FedAvg(**{**CENTRAL, **more}),
    lambda **more: flower.FedAvgM(**{**CENTRAL, **more}),
]


@pytest.mark.parametrize("make", STRATEGIES)
def test_only_clients_that_are_there_are_asked(grid: LocalGrid, make: Any) -> None:
    rounds = run(grid, make(), rounds_of([0, 1, 2, 3, 4], [1, 3], [0, 4]))
    assert trained(rounds) == [[0, 1, 2, 3, 4], [1, 3], [0, 4]]
    assert [round_.presence.available.sum() for round_ in rounds[1:] if round_.presence] == [5, 2, 2]


def test_the_fraction_is_of_the_clients_that_are_there(grid: LocalGrid) -> None:
    strategy = FedAvg(**CENTRAL, fraction_train=0.5)
    asked = trained(run(grid, strategy, rounds_of([0, 1, 2, 3], [1, 3], [2])))
    assert [len(actors) for actors in asked] == [2, 1, 1]
    assert set(asked[1]) <= {1, 3}
    assert asked[2] == [2]


@pytest.mark.parametrize("make", STRATEGIES)
def test_a_round_with_nobody_there_keeps_the_model_and_says_so(
    grid: LocalGrid, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "fedlocal"):
        before, first, empty, last = run(grid, make(), rounds_of([0, 1], [], [0, 1]))
    assert "round 2: 0 of 5 clients were there, the model stays as it was" in caplog.messages
    for name, array in first.arrays.items():
        assert empty.arrays[name].tobytes() == array.tobytes() != last.arrays[name].tobytes()
    assert (empty.client_metrics, empty.errors, empty.exchange) == ({}, {}, None)
    assert empty.server_metrics["number"] == 2
    assert before.presence is None


@pytest.mark.parametrize("minimum", ["min_available_nodes", "min_train_nodes"])
@pytest.mark.parametrize("make", STRATEGIES)
def test_a_strategy_never_waits_for_nodes_that_are_not_there(
    grid: LocalGrid, make: Any, minimum: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "fedlocal"):
        rounds = run(grid, make(**{minimum: 3}), rounds_of([0, 1], [0, 1, 2], [4]))
    assert trained(rounds) == [[], [0, 1, 2], []]
    assert "round 1: 2 of 5 clients were there, the strategy needs 3" in caplog.text


def test_a_strategy_that_wraps_another_does_not_wait_either(grid: LocalGrid) -> None:
    inner = flower.FedAvg(**{**CENTRAL, "min_available_nodes": 2})
    strategy = flower.DifferentialPrivacyServerSideFixedClipping(
        inner, noise_multiplier=0.0, clipping_norm=1.0, num_sampled_clients=2
    )
    assert trained(run(grid, strategy, rounds_of([3], [1, 2], []))) == [[], [1, 2], []]


def test_an_evaluation_with_too_few_clients_is_left_out(grid: LocalGrid) -> None:
    strategy = FedAvg(**{**ALL, "min_evaluate_nodes": 3})
    first, two, _ = run(grid, strategy, rounds_of([0, 1], [0, 1, 2], [0]))[1:]
    assert first.train_metrics
    assert not first.evaluate_metrics
    assert two.evaluate_metrics


@pytest.mark.parametrize("make", STRATEGIES)
def test_work_of_clients_that_leave_in_mid_round_is_lost_and_no_error(grid: LocalGrid, make: Any) -> None:
    everybody = range(ACTORS)
    leaving = run(
        grid, make(fraction_evaluate=1.0), rounds_of(everybody, everybody, everybody, lost=[[], [1, 4]])
    )
    assert trained(leaving) == [[0, 1, 2, 3, 4], [0, 2, 3], [0, 1, 2, 3, 4]]
    assert not any(round_.errors for round_ in leaving)
    away = run(grid, make(fraction_evaluate=1.0), rounds_of(everybody, [0, 2, 3], everybody))
    for name, array in away[-1].arrays.items():
        assert leaving[-1].arrays[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("make", STRATEGIES)
def test_the_model_stays_as_it_was_if_all_clients_leave(grid: LocalGrid, make: Any) -> None:
    *_, first, second = run(grid, make(), rounds_of([0, 1], [2, 3], lost=[[], [2, 3]]), rounds=2)
    for name, array in first.arrays.items():
        assert second.arrays[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("there", "lost", "reason"),
    [
        ([], [], "0 of 5 clients were there"),
        ([3], [], "1 of 5 clients were there"),
        ([0, 2, 3], [0, 2], "3 of 5 clients were there, of which 2 left in mid-round"),
    ],
)
def test_min_results_ends_a_run_in_which_too_few_reply(
    grid: LocalGrid, there: list[int], lost: list[int], reason: str
) -> None:
    presences = rounds_of([0, 1], there, [0, 1], lost=[[], lost])
    with pytest.raises(QuorumError, match=rf"round 2: .* 2 must reply \(min_results\)\. {reason}"):
        run(grid, FedAvg(**CENTRAL), presences, min_results=2)


class Clinging(flower.FedAvg):
    """Asks whomever it has asked in the first round."""

    nodes: list[int]

    def configure_train(self, server_round: int, *args: Any) -> list[Message]:
        messages = list(super().configure_train(server_round, *args))
        if server_round == 1:
            self.nodes = [message.metadata.dst_node_id for message in messages]
        return list(self._construct_messages(messages[0].content, self.nodes, "train"))


def test_a_client_that_is_asked_and_not_there_does_not_answer(grid: LocalGrid) -> None:
    asked = trained(run(grid, Clinging(**CENTRAL), rounds_of([0, 1, 2], [1, 3], [2])))
    assert asked == [[0, 1, 2], [1], [2]]


class Counting(flower.FedAvg):
    """Has clients count their messages in their state, notes what they say, and learns nothing."""

    def __init__(self) -> None:
        super().__init__(**CENTRAL)
        self.counted: list[dict[int, object]] = []

    def configure_train(self, *args: Any) -> list[Message]:
        messages = list(super().configure_train(*args))
        for message in messages:
            message.metadata.message_type = "train.count"
        return messages

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        said = {partition_of(reply.metadata.src_node_id): reply.content.metric_records for reply in replies}
        self.counted.append({partition: records["metrics"]["n"] for partition, records in said.items()})
        return array_record(INITIAL), None


def test_clients_that_come_back_have_kept_their_state(grid: LocalGrid) -> None:
    strategy = Counting()
    run(grid, strategy, rounds_of([0, 1], [0], [0], [0, 1, 2], [1]), rounds=5)
    assert strategy.counted == [{0: 1, 1: 1}, {0: 2}, {0: 3}, {0: 4, 1: 2, 2: 1}, {1: 3}]


def test_a_run_goes_on_with_the_presences_of_the_rounds_that_are_left(grid: LocalGrid) -> None:
    presences = rounds_of([0], [1], [2], [3])
    settings: dict[str, Any] = {"rounds": 4, "presences": presences}
    rest = list(loop(FedAvg(**CENTRAL), **settings).run(grid, INITIAL, after=2))
    assert [(round_.number, sorted(round_.client_metrics)) for round_ in rest] == [(3, [2]), (4, [3])]


def test_a_grid_that_cannot_hide_nodes_is_refused() -> None:
    with pytest.raises(TypeError, match="the nodes of a object are always there"):
        admit(object(), next(rounds_of([0])()), "train", FedAvg())  # type: ignore[arg-type]
