"""fedlocal's FedAvg: Flower's, but for its mean."""

import itertools
import random
from functools import partial
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import strategy as flower
from flwr.serverapp.exception import InconsistentMessageReplies
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.actors import InlineSystem
from fedlocal.flower.compat import private
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.node.client_runner import InlineClientActors, node_of
from fedlocal.flower.server.mean import GROUP, in_groups
from fedlocal.strategies.fedavg import FedAvg
from fedlocal.strategies.norm_clipping import NormClipping
from tests.flower.apps import start


def replies(metrics: list[dict[str, Any]]) -> list[Message]:
    private.become_server(1)
    made = []
    for partition, values in enumerate(metrics):
        request = Message(RecordDict(), node_of(partition), "train")
        arrays = array_record({"w": np.full(3, partition, np.float32)})
        made.append(Message(RecordDict({"a": arrays, "m": MetricRecord(values)}), reply_to=request))
    return made


NUMBERS = st.floats(-1e6, 1e6) | st.integers(-1000, 1000)


@given(st.lists(st.tuples(st.integers(1, 1000), NUMBERS, NUMBERS), min_size=1, max_size=40))
def test_metrics_have_the_bits_of_flowers_fedavg(values: list[tuple[int, float, float]]) -> None:
    some = replies([{"loss": loss, "num-examples": n, "other": other} for n, loss, other in values])
    ours, theirs = FedAvg().aggregate_train(1, some), flower.FedAvg().aggregate_train(1, some)
    assert ours[1] == theirs[1]
    assert ours[0] is not None
    assert theirs[0] is not None
    mean, flowers = ndarrays(ours[0])["w"], ndarrays(theirs[0])["w"]
    np.testing.assert_allclose(mean, flowers, rtol=1e-5)


def test_lists_of_metrics_are_aggregated_and_a_users_function_is_used() -> None:
    some = replies([{"num-examples": 1, "curve": [1.0, 2.0]}, {"num-examples": 3, "curve": [5.0, 6.0]}])
    assert FedAvg().aggregate_train(1, some)[1] == MetricRecord({"curve": [4.0, 5.0]})
    counting = FedAvg(train_metrics_aggr_fn=lambda contents, _: MetricRecord({"replies": len(contents)}))
    assert counting.aggregate_train(1, some)[1] == MetricRecord({"replies": 2})


def test_a_key_that_is_not_there_is_named() -> None:
    with pytest.raises(InconsistentMessageReplies):
        FedAvg(weighted_by_key="rows").aggregate_train(1, replies([{"num-examples": 1}]))
    with pytest.raises(InconsistentMessageReplies, match=r"'rows' must name a number .* \['num-examples'\]"):
        FedAvg(weighted_by_key="rows").weight(MetricRecord({"num-examples": 1}))


@given(st.dictionaries(st.integers(0, 500), st.integers(0, 5), max_size=80))
def test_groups_hold_the_largest_first_and_their_nodes_in_order(sizes: dict[int, float]) -> None:
    nodes = list(sizes)
    positions = in_groups(nodes, list(sizes.values()))
    groups = [[nodes[at] for at in group] for group in positions]
    assert sorted(itertools.chain(*groups)) == sorted(nodes)
    assert all(len(group) == GROUP for group in groups[:-1])
    assert all(group == sorted(group) for group in groups)
    for before, after in itertools.pairwise(groups):
        assert min(sizes[node] for node in before) >= max(sizes[node] for node in after)


@pytest.mark.parametrize(
    "options", [{}, {"fraction_train": 0.3}, {"fraction_train": 0.01, "min_train_nodes": 3}]
)
def test_fedavg_asks_the_clients_that_flowers_fedavg_would_ask(options: dict[str, Any]) -> None:
    asked = []
    with LocalGrid(InlineSystem(partial(InlineClientActors, start)), [1.0] * 40) as grid:
        for strategy in (FedAvg(**options), flower.FedAvg(**options)):
            random.seed(3)
            arrays = array_record({"w": np.zeros(3, np.float32)})
            messages = list(strategy.configure_train(2, arrays, ConfigRecord({"lr": 0.1}), grid))
            asked.append(
                [(vars(message.metadata) | {"_created_at": 0}, message.content) for message in messages]
            )
    assert asked[0] == asked[1]


def test_more_clients_than_there_are_is_flowers_to_judge() -> None:
    with LocalGrid(InlineSystem(partial(InlineClientActors, start)), [1.0] * 2) as grid:
        strategy, config = FedAvg(fraction_train=0.0), ConfigRecord()
        assert list(strategy.configure_train(1, array_record({}), config, grid)) == []


def test_a_subclass_with_an_aggregation_of_its_own_is_not_streamed() -> None:
    class Renamed(FedAvg):
        pass

    class Mixed:
        def aggregate_train(self, server_round: int, replies: Any) -> Any:
            raise NotImplementedError

    class Other(Mixed, FedAvg):
        pass

    assert [strategy.streams for strategy in (FedAvg, Renamed, NormClipping, Other)] == [
        True,
        True,
        False,
        False,
    ]
