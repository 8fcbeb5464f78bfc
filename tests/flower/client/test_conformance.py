"""What server apps see of a grid: the same questions to Flower's own and to ours.

Where fedlocal's grid differs on purpose, docs/flower.md says how.
"""

import copy
import pickle
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.common.constant import HEARTBEAT_INTERVAL_INF
from flwr.proto.task_pb2 import Task
from flwr.server.superlink.linkstate import InMemoryLinkState, LinkStateFactory
from flwr.server.superlink.linkstate.in_memory_linkstate import RunRecord
from flwr.serverapp import Grid
from flwr.supercore.constant import FLWR_IN_MEMORY_DB_NAME
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.superlink.federation import NoOpFederationManager
from flwr.superlink.grid import InMemoryGrid

from fedlocal.actors import ActorSystem, InlineSystem
from fedlocal.flower.admission.structural import Structural
from fedlocal.flower.compat.private import RUN_ID, become_server, empty_run
from fedlocal.flower.grid.recording_grid import MessageRecorder, RecordingGrid
from fedlocal.flower.node.client_runner import ClientActors, InlineClientActors
from tests.flower.client.conformance_app import ARRAYS, NODES, RAW, app, looks, start

LONG = 300.0  # seconds that nobody should ever wait


class FlowersGrid(InMemoryGrid):
    """Flower's own grid, whose nodes are played by a thread: what its simulation does, without Ray."""

    def __init__(self) -> None:
        factory = LinkStateFactory(FLWR_IN_MEMORY_DB_NAME, NoOpFederationManager(), ObjectStoreFactory())
        super().__init__(factory, pull_interval=0.002)
        become_server(RUN_ID)
        state, run = self.state, empty_run(RUN_ID)
        assert isinstance(state, InMemoryLinkState)
        run.primary_task_id, run.federation_id = 1, "@none/default"
        state.run_ids[RUN_ID] = RunRecord(run=run)
        state.task_store[1] = Task(task_id=1, run_id=RUN_ID)
        self.set_run(run)
        nodes = [self._new_node(number) for number in range(NODES)]
        self._contexts = {
            node: Context(RUN_ID, node, {"partition-id": number, "num-partitions": NODES}, RecordDict(), {})
            for number, node in enumerate(nodes)
        }
        self._pushed, self._closed = threading.Event(), False
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        identifiers = super().push_messages(messages)
        self._pushed.set()
        return identifiers

    def close(self) -> None:
        self._closed = True
        self._pushed.set()
        self._thread.join()

    def _new_node(self, number: int) -> int:
        node = self.state.create_node("", "", bytes([number]), HEARTBEAT_INTERVAL_INF)
        self.state.acknowledge_node_heartbeat(node, HEARTBEAT_INTERVAL_INF)
        return node

    def _play(self) -> None:
        while not self._closed:
            self._pushed.wait()
            self._pushed.clear()
            for node, context in self._contexts.items():
                for message in self.state.get_message_ins(node, limit=None):
                    if not message.metadata.message_type.endswith("never"):
                        self._answer(message, context)

    def _answer(self, message: Message, context: Context) -> None:
        sent = pickle.loads(pickle.dumps(message))  # noqa: S301 - as Ray does
        try:
            reply = app(sent, context)
        except Exception as error:  # noqa: BLE001 - as Flower does
            reply = Message(Error(2, str(error)), reply_to=message)
        reply.metadata.__dict__["_message_id"] = f"reply to {message.metadata.message_id}"
        self.state.store_message_res(reply)


def ours(system: Callable[[], Any]) -> RecordingGrid:
    return RecordingGrid(system(), NODES, Structural(), MessageRecorder(lambda watched: None, 1))


GRIDS: dict[str, Callable[[], Any]] = {
    "flower": FlowersGrid,
    "inline": partial(ours, lambda: InlineSystem(partial(InlineClientActors, start))),
    "actors": partial(ours, lambda: ActorSystem(partial(ClientActors, start), workers=2)),
}


@pytest.fixture(scope="module", params=GRIDS)
def grid(request: pytest.FixtureRequest) -> Iterator[Grid]:
    opened = GRIDS[request.param]()
    yield opened
    opened.close()


@pytest.fixture
def patient(grid: Grid) -> Grid:
    """Return a grid where a client may never answer: inline, nothing else would go on."""
    if isinstance(grid, RecordingGrid) and isinstance(grid._system, InlineSystem):
        pytest.skip("inline, a message has been handled when it was sent")
    return grid


def nodes_of(grid: Grid) -> list[int]:
    """Return the nodes by their partitions."""
    messages = [Message(RecordDict(), node, "query.who") for node in grid.get_node_ids()]
    replies = sorted(grid.send_and_receive(messages), key=lambda reply: answer_of(reply)["partition"])
    return [reply.metadata.src_node_id for reply in replies]


def answer_of(reply: Message) -> dict[str, Any]:
    """Return the metrics of a reply."""
    return dict(reply.content.metric_records["m"])


def array_of(content: RecordDict) -> Array:
    (array,) = content.array_records["a"].values()
    return array


def ask(grid: Grid, node: int, kind: str, content: RecordDict | None = None, **options: Any) -> list[Message]:
    timeout = options.pop("timeout", LONG)
    message = Message(content or RecordDict(), node, f"query.{kind}", **options)
    return list(grid.send_and_receive([message], timeout=timeout))


def pulled(grid: Grid, identifiers: Iterable[str]) -> list[Message]:
    """Pull until there is an answer to each message."""
    left, replies, until = set(identifiers), list[Message](), time.monotonic() + LONG
    while left and time.monotonic() < until:
        replies += grid.pull_messages(left)
        left -= {reply.metadata.reply_to_message_id for reply in replies}
        time.sleep(0.002)  # as apps do: no grid has anything else to wait on
    return replies


def codes(replies: Iterable[Message]) -> list[int | None]:
    return [reply.error.code if reply.has_error() else None for reply in replies]


def number(value: int) -> RecordDict:
    return RecordDict({"m": MetricRecord({"i": value})})


def test_the_list_of_nodes_is_a_copy(grid: Grid) -> None:
    before = set(grid.get_node_ids())
    taken: Any = grid.get_node_ids()
    taken.remove(min(before))
    assert set(grid.get_node_ids()) == before
    assert len(before) == NODES


def test_get_nodes_tells_of_all_nodes(grid: Grid) -> None:
    assert {node.node_id for node in grid.get_nodes()} == set(grid.get_node_ids())


def test_a_message_to_a_node_that_is_not_there_is_left_out(grid: Grid) -> None:
    there, nowhere = nodes_of(grid)[0], 12345
    messages = [Message(number(node), node, "query.echo") for node in (nowhere, there)]
    (reply,) = grid.send_and_receive(messages, timeout=LONG)
    assert reply.metadata.src_node_id == there
    assert list(grid.push_messages([Message(RecordDict(), nowhere, "query.echo")])) == []
    assert ask(grid, nowhere, "echo") == []


def test_no_messages_have_no_replies(grid: Grid) -> None:
    assert list(grid.send_and_receive([])) == []
    assert list(grid.push_messages([])) == []
    assert list(grid.pull_messages([])) == []


def test_messages_may_come_from_a_generator(grid: Grid) -> None:
    messages = (Message(RecordDict(), node, "query.echo") for node in grid.get_node_ids())
    assert len(list(grid.send_and_receive(messages))) == NODES


def test_replies_name_the_messages_that_they_answer(grid: Grid) -> None:
    node = nodes_of(grid)[0]
    messages = [Message(number(index), node, "query.echo") for index in range(3)]
    replies = list(grid.send_and_receive(messages))
    sent = {message.metadata.message_id: index for index, message in enumerate(messages)}
    assert len(sent) == 3
    assert sorted(sent) == sorted(reply.metadata.reply_to_message_id for reply in replies)
    assert all(answer_of(reply)["i"] == sent[reply.metadata.reply_to_message_id] for reply in replies)


def test_a_client_sees_the_metadata_of_its_message(grid: Grid) -> None:
    (reply,) = ask(grid, nodes_of(grid)[1], "metadata", group_id="g", ttl=77.0)
    assert dict(reply.content.config_records["c"]) == {
        "type": "query.metadata",
        "group": "g",
        "source": 1,
        "time to live": 77.0,
        "has an identifier": True,
        "replies to": "",
        "is of the run": True,
        "is to this node": True,
        "nodes": NODES,
        "configuration": "{}",
    }


def test_a_reply_has_metadata_of_its_own(grid: Grid) -> None:
    node = nodes_of(grid)[0]
    (reply,) = ask(grid, node, "echo", group_id="g7")
    seen = reply.metadata
    assert (seen.message_type, seen.group_id) == ("query.echo", "g7")
    assert (seen.src_node_id, seen.dst_node_id, seen.run_id) == (node, 1, grid.run.run_id)
    assert seen.message_id
    assert seen.message_id != seen.reply_to_message_id
    assert seen.ttl > 0
    assert abs(seen.created_at - time.time()) < LONG


def test_a_client_that_raises_is_an_error_of_code_2(grid: Grid) -> None:
    (reply,) = ask(grid, nodes_of(grid)[0], "raises")
    assert reply.error.code == 2
    assert "as it was asked to" in (reply.error.reason or "")


def test_a_client_that_does_not_answer_in_time_has_no_reply(patient: Grid) -> None:
    first, second, _ = nodes_of(patient)
    kinds = {first: "query.never", second: "query.echo"}
    messages = [Message(RecordDict(), node, kind) for node, kind in kinds.items()]
    replies = list(patient.send_and_receive(messages, timeout=0.3))
    assert not any(codes(replies))
    assert {reply.metadata.src_node_id for reply in replies} <= {second}


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_call_without_time_does_not_wait_and_its_messages_are_handled(grid: Grid, timeout: int) -> None:
    node = nodes_of(grid)[0]
    before = answer_of(ask(grid, node, "count")[0])["n"]
    assert ask(grid, node, "count", timeout=timeout) == []
    assert answer_of(ask(grid, node, "count")[0])["n"] == before + 2


def test_a_message_whose_time_to_live_is_over_is_an_error_of_code_3(patient: Grid) -> None:
    node = nodes_of(patient)[0]
    (reply,) = ask(patient, node, "never", ttl=0.2)
    assert codes([reply]) == [3]
    (identifier,) = patient.push_messages([Message(RecordDict(), node, "query.never", ttl=0.5)])
    (reply,) = pulled(patient, [identifier])
    assert (codes([reply]), reply.metadata.reply_to_message_id) == ([3], identifier)


def test_a_reply_is_pulled_once(grid: Grid) -> None:
    (identifier,) = grid.push_messages([Message(number(5), nodes_of(grid)[0], "query.echo")])
    (reply,) = pulled(grid, [identifier])
    assert (answer_of(reply)["i"], reply.metadata.reply_to_message_id) == (5, identifier)
    assert codes(grid.pull_messages([identifier])) == [3]


def test_a_pull_of_a_message_that_nobody_sent_is_an_error_of_code_3(grid: Grid) -> None:
    (reply,) = grid.pull_messages(["nothing"])
    assert (codes([reply]), reply.metadata.reply_to_message_id) == ([3], "nothing")
    assert (reply.metadata.src_node_id, reply.metadata.dst_node_id) == (1, 1)


def test_an_identifier_given_twice_is_pulled_once(grid: Grid) -> None:
    assert len(list(grid.pull_messages(["nothing", "nothing"]))) == 1


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_keep_type_shape_order_and_values_both_ways(grid: Grid, name: str) -> None:
    sent = RecordDict({"c": ConfigRecord({"name": name}), "a": ArrayRecord({"x": Array(ARRAYS[name])})})
    (reply,) = ask(grid, nodes_of(grid)[0], "array", sent)
    received = array_of(reply.content)
    expected = looks(np.array(ARRAYS[name], order="A"))
    assert reply.content.config_records["c"]["seen"] == looks(received.numpy()) == expected
    assert (received.dtype, received.shape) == (str(ARRAYS[name].dtype), ARRAYS[name].shape)


def test_arrays_that_are_not_numpys_travel_as_they_are(grid: Grid) -> None:
    (reply,) = ask(grid, nodes_of(grid)[0], "raw")
    assert array_of(reply.content) == RAW


def test_all_kinds_of_values_survive(grid: Grid) -> None:
    content = RecordDict(
        {
            "m": MetricRecord(
                {"most": 2**63 - 1, "least": -(2**63), "inf": float("inf"), "list": [0.5, 1e300], "none": []}
            ),
            "c": ConfigRecord(
                {"bytes": b"\0\xff", "text": "ä€\0", "yes": True, "texts": ["a", ""], "parts": [b"", b"1"]}
            ),
            "empty": ConfigRecord(),
            "é": MetricRecord({}),
        }
    )
    (reply,) = ask(grid, nodes_of(grid)[0], "echo", copy.deepcopy(content))
    assert reply.content == content
    assert list(reply.content) == list(content)


def test_a_clients_change_of_a_copy_leaves_the_sent_message_alone(grid: Grid) -> None:
    record = ArrayRecord({"w": Array(np.ones(4, np.float32))})
    messages = [Message(RecordDict({"a": record}), node, "query.change") for node in nodes_of(grid)]
    for _ in range(2):
        for reply in grid.send_and_receive(messages):
            assert answer_of(reply) == {"first": 4.0, "again": 4.0}
        messages = [Message(RecordDict({"a": record}), node, "query.change") for node in nodes_of(grid)]


def test_a_server_may_write_to_what_it_takes_out_of_a_reply(grid: Grid) -> None:
    content = RecordDict({"a": ArrayRecord({"w": Array(np.ones(4, np.float32))})})
    (reply,) = ask(grid, nodes_of(grid)[0], "echo", content)
    taken = array_of(reply.content).numpy()
    taken += 1
    assert array_of(reply.content).numpy().sum() == 4


def test_replies_may_be_kept(grid: Grid) -> None:
    node = nodes_of(grid)[0]

    def filled(value: int) -> RecordDict:
        return RecordDict({"a": ArrayRecord({"w": Array(np.full(50_000, value, np.float32))})})

    kept = [ask(grid, node, "echo", filled(value))[0] for value in range(20)]
    assert [array_of(reply.content).numpy().mean() for reply in kept] == list(range(20))


def test_many_threads_may_send_and_receive(grid: Grid) -> None:
    nodes, answers = nodes_of(grid), {}

    def check(value: int) -> None:
        (reply,) = ask(grid, nodes[value % NODES], "echo", number(value))
        answers[value] = answer_of(reply)["i"]

    threads = [threading.Thread(target=check, args=(value,)) for value in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {value: value for value in range(12)}


def test_the_local_grid_alone_sends_a_message_again_that_was_sent_before() -> None:
    with GRIDS["inline"]() as grid:
        message = Message(RecordDict(), nodes_of(grid)[0], "query.count")
        first, second = [name for _ in range(2) for name in grid.push_messages([message])]
        replies = grid.pull_messages([second, first])
        assert {reply.metadata.reply_to_message_id: answer_of(reply)["n"] for reply in replies} == {
            first: 1,
            second: 2,
        }
        assert len(grid.send_and_receive([message, message])) == 2
