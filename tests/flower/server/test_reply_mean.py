"""Averaging while clients train: the bits of averaging afterwards, the memory of a few groups."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fedlocal.actors import ActorSystem, InlineSystem
from fedlocal.flower.admission.strict import Strict
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.local_grid import AHEAD, LocalGrid
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.node.client_runner import ClientActors, ClientRunner, InlineClientActors
from fedlocal.flower.server.mean import GROUP
from fedlocal.flower.server.round_loop import FederatedRound, RoundLoop
from fedlocal.strategies.fedavg import FedAvg

CLIENTS = (AHEAD + 2) * GROUP + 3
SIZES = [1 + (7 * client) % 40 for client in range(CLIENTS)]
INITIAL = {"w": np.zeros(5000, dtype=np.float32), "b": np.zeros((2, 2), dtype=np.float32)}


def app(bad: Sequence[int]) -> ClientApp:
    made = ClientApp()

    @made.train()
    def train(message: Message, context: Context) -> Message:
        partition = int(context.node_config["partition-id"])
        if partition in bad and partition % 2:
            raise RuntimeError("odd ones raise")
        rng = np.random.default_rng(partition)
        arrays = {name: rng.standard_normal(array.shape, np.float32) for name, array in INITIAL.items()}
        if partition in bad:
            arrays["w"][77] = np.nan
        metrics = MetricRecord({"num-examples": SIZES[partition], "train-loss": float(rng.random())})
        return Message(RecordDict({"arrays": array_record(arrays), "metrics": metrics}), reply_to=message)

    return made


def start(bad: Sequence[int]) -> ClientRunner:
    return ClientRunner(app(bad), CLIENTS, seed=1, run_id=1)


def open_grid(workers: int, bad: Sequence[int] = ()) -> LocalGrid:
    make: Any = partial(start, bad)
    if not workers:
        return LocalGrid(InlineSystem(partial(InlineClientActors, make)), SIZES)
    return LocalGrid(ActorSystem(partial(ClientActors, make), workers=workers), SIZES)


def averaged(workers: int, bad: Sequence[int] = ()) -> tuple[dict[str, bytes], FederatedRound]:
    loop = RoundLoop(FedAvg(fraction_evaluate=0.0), 1, 1, lambda *_: {}, Strict(SIZES), 0, timeout=300)
    with quiet(), open_grid(workers, bad) as grid:
        *_, round_ = loop.run(grid, INITIAL)
    return {name: array.tobytes() for name, array in round_.arrays.items()}, round_


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_the_bits_are_those_of_averaging_all_replies_afterwards(workers: int) -> None:
    arrays, round_ = averaged(workers)
    strategy = FedAvg()
    with open_grid(0) as grid:
        messages = strategy.configure_train(1, array_record(INITIAL), ConfigRecord(), grid)
        expected, expected_metrics = strategy.aggregate_train(1, grid.send_and_receive(messages))
    assert expected is not None
    assert expected_metrics is not None
    assert arrays == {name: array.tobytes() for name, array in ndarrays(expected).items()}
    assert round_.train_metrics == dict(expected_metrics)
    assert list(round_.client_metrics) == list(range(CLIENTS))
    assert len(round_.averaging) == -(-CLIENTS // GROUP)


BY_SIZE = sorted(range(CLIENTS), key=lambda client: -SIZES[client])
LAST_GROUP = BY_SIZE[-(CLIENTS % GROUP) :]  # all of which send NaN


@pytest.mark.parametrize("bad", [[0], [5, 40], list(range(GROUP)), LAST_GROUP, list(range(CLIENTS))])
def test_clients_that_raise_or_send_nan_are_errors_and_the_mean_is_that_of_the_remaining_clients(
    bad: list[int],
) -> None:
    arrays, round_ = averaged(2, bad)
    assert list(round_.errors) == bad
    good = [client for client in range(CLIENTS) if client not in bad]
    if not good:
        assert arrays == {name: array.tobytes() for name, array in INITIAL.items()}
        return
    drawn = [np.random.default_rng(client).standard_normal(5000, np.float32) for client in good]
    exact = np.average(np.asarray(drawn, np.float64), axis=0, weights=[SIZES[client] for client in good])
    np.testing.assert_allclose(np.frombuffer(arrays["w"], np.float32), exact, atol=1e-6)


def test_only_a_few_groups_are_under_way_at_once() -> None:
    handled: list[int] = []

    class Counting(InlineClientActors):
        def handle(self, *args: Any) -> Any:
            handled.append(args[0])
            return super().handle(*args)

    with LocalGrid(InlineSystem(lambda: Counting(partial(start, ()))), SIZES) as grid:
        messages = list(FedAvg().configure_train(1, array_record(INITIAL), ConfigRecord(), grid))
        groups = [range(begin, begin + 10) for begin in range(0, 100, 10)]
        for number, replies in enumerate(grid.exchange(messages, groups)):
            assert len(replies) == 10
            assert len(handled) == min(100, 10 * (number + AHEAD))


def test_an_exchange_that_is_given_up_leaves_the_grid_usable() -> None:
    with open_grid(2) as grid:
        messages = list(FedAvg().configure_train(1, array_record(INITIAL), ConfigRecord(), grid))
        exchange = grid.exchange(messages, [range(50), range(50, 100)])
        next(exchange)
        exchange.close()
        assert len(grid.send_and_receive(messages[:3])) == 3
