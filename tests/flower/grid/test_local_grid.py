"""The local grid, on every system that can fill it."""

import random
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from flwr.app import Message, RecordDict

from fedlocal.actors import ActorSystem, InlineSystem
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.messages.arrays import array_record
from fedlocal.flower.node.client_runner import ClientActors, InlineClientActors, node_of, partition_of
from tests.flower.apps import start

pytestmark = pytest.mark.usefixtures("no_leaks")


def inline() -> LocalGrid:
    return LocalGrid(InlineSystem(partial(InlineClientActors, start)), [1.0] * 5)


def actors(workers: int = 2) -> LocalGrid:
    return LocalGrid(ActorSystem(partial(ClientActors, start), workers=workers), [1.0] * 5)


@pytest.fixture(params=[inline, actors])
def grid(request: pytest.FixtureRequest) -> Iterator[LocalGrid]:
    open_: Callable[[], LocalGrid] = request.param
    with open_() as opened:
        yield opened


def messages(kind: str, partitions: range | list[int] = range(5)) -> list[Message]:
    content = RecordDict({"arrays": array_record({"w": np.arange(4, dtype=np.float32)})})
    return [Message(content, node_of(partition), kind) for partition in partitions]


def sources(replies: list[Message]) -> list[int]:
    return [partition_of(reply.metadata.src_node_id) for reply in replies]


def numbers(replies: list[Message], key: str) -> list[object]:
    return [reply.content.metric_records["metrics"][key] for reply in replies]


def test_replies_come_sorted_by_partition_whatever_the_order_of_requests(grid: LocalGrid) -> None:
    replies = grid.send_and_receive(messages("train", [3, 0, 4, 1, 2]))
    assert sources(replies) == [0, 1, 2, 3, 4]
    assert numbers(replies, "train-loss") == [0.0, 1.0, 2.0, 3.0, 4.0]
    first = replies[1].content.array_records["arrays"]["w"].numpy()
    np.testing.assert_array_equal(first, np.array([0.5, 1.0, 1.5, 2.0], dtype=np.float32))


def test_a_server_app_knows_of_no_other_nodes_than_it_is_told_of(grid: LocalGrid) -> None:
    grid.restrict(range(node_of(2), node_of(4)))
    assert grid.get_node_ids() == list(grid.nodes) == [node_of(2), node_of(3)]
    assert sources(grid.send_and_receive(messages("train", [3, 2]))) == [2, 3]
    with pytest.raises(ValueError, match="there is no node"):
        grid.send_and_receive(messages("train", [1]))


def test_a_node_keeps_its_own_state_alone(grid: LocalGrid) -> None:
    grid.send_and_receive(messages("train.count", [0, 1, 2]))
    grid.send_and_receive(messages("train.count", [1]))
    assert numbers(grid.send_and_receive(messages("train.count")), "n") == [2, 3, 2, 1, 1]


def test_an_exception_is_that_clients_error_with_its_partition_and_traceback(grid: LocalGrid) -> None:
    replies = grid.send_and_receive(messages("train.fail_on_odd"))
    assert [reply.has_error() for reply in replies] == [False, True, False, True, False]
    assert replies[3].error.code == 2
    reason = replies[3].error.reason or ""
    assert reason.startswith("client 3: RuntimeError: odd partitions fail")
    assert 'raise RuntimeError("odd partitions fail")' in reason


def test_a_failed_message_leaves_the_state_as_it_was(grid: LocalGrid) -> None:
    grid.send_and_receive(messages("train.count"))
    grid.send_and_receive(messages("train.fail_on_odd"))
    assert numbers(grid.send_and_receive(messages("train.count")), "n") == [3, 2, 3, 2, 3]


def test_a_client_cannot_change_what_another_client_receives(grid: LocalGrid) -> None:
    sent = messages("train.write", [0, 1])
    assert not any(reply.has_error() for reply in grid.send_and_receive(sent))
    assert list(sent[0].content.array_records["arrays"]) == ["w"]


def test_a_return_value_that_is_no_message_is_the_clients_error(grid: LocalGrid) -> None:
    (reply,) = grid.send_and_receive(messages("train.wrong", [2]))
    assert "must return a Message, it returned NoneType" in (reply.error.reason or "")


def test_an_action_that_the_app_does_not_have_is_the_clients_error(grid: LocalGrid) -> None:
    (reply,) = grid.send_and_receive(messages("train.unheard_of", [2]))
    assert "unheard_of" in (reply.error.reason or "")


def test_pushed_messages_can_be_pulled_once(grid: LocalGrid) -> None:
    pushed = set(grid.push_messages(messages("train.count", [2, 0])))
    assert len(pushed) == 2
    waiting, replies = set(pushed), list[Message]()
    while waiting:
        replies += grid.pull_messages(waiting)
        waiting -= {reply.metadata.reply_to_message_id for reply in replies}
    assert sorted(sources(replies)) == [0, 2]
    assert [reply.error.code for reply in grid.pull_messages(pushed)] == [3, 3]


def test_a_node_that_is_not_there_is_refused(grid: LocalGrid) -> None:
    with pytest.raises(ValueError, match="there is no node 7: they are 2 to 6"):
        grid.send_and_receive(messages("train", [5]))


def test_no_messages_have_no_replies(grid: LocalGrid) -> None:
    assert grid.send_and_receive([]) == []


def test_the_exchange_says_who_ran_where_and_when(grid: LocalGrid) -> None:
    grid.send_and_receive(messages("train"))
    exchange = grid.last_exchange
    assert exchange
    assert [handling.partition for handling in exchange.handlings] == [0, 1, 2, 3, 4]
    for handling in exchange.handlings:
        assert exchange.started <= handling.started <= handling.ended <= exchange.ended
        assert 0 <= handling.worker < exchange.workers


def test_shared_generators_are_seeded_per_node_and_message_and_left_alone_here() -> None:
    drawn = []
    for open_ in (inline, actors, partial(actors, 1)):
        random.seed(1)
        with open_() as grid:
            both = [grid.send_and_receive(messages("query.draw")) for _ in range(2)]
        drawn.append([numbers(replies, key) for replies in both for key in ("python", "numpy")])
        assert random.random() == random.Random(1).random()
    assert drawn[0] == drawn[1] == drawn[2]
    assert len({number for row in drawn[0] for number in row}) == 20


def test_a_client_that_hangs_is_an_error_when_the_time_is_up() -> None:
    with ActorSystem(partial(ClientActors, start), workers=2) as system:
        grid = LocalGrid(system, [1.0] * 5)
        replies = grid.send_and_receive([*messages("train.sleep", [1]), *messages("train", [0])], timeout=1.0)
        assert replies[1].has_error()
        assert replies[1].error.code == 5
        assert not any(reply.has_error() for reply in grid.send_and_receive(messages("train", [0, 2])))
        system.close(grace=0)
