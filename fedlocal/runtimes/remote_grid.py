"""The grid of one of Flower's engines, with nodes in the order of the partitions, as schemes expect.

An engine draws the identifiers of its nodes at random, and replies come in any order. Here node i owns
partition i, as the node itself reports, and replies come sorted.
"""

import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Error, Message, MessageType, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from fedlocal.flower.client.default_client import PARTITION_QUERY, reported_partition
from fedlocal.flower.compat.private import NODE_UNAVAILABLE, Run, readdressed, reply_to, set_source
from fedlocal.flower.grid.local_grid import OpenGrid
from fedlocal.flower.node.client_runner import node_of, partition_of

PAUSE = 0.5  # seconds between two looks for nodes: an engine announces none


class EngineError(RuntimeError):
    """An engine does not have the nodes that a run needs."""


class RemoteGrid(OpenGrid):
    """The nodes of an engine by their partitions.

    Parameters
    ----------
    grid : Grid
        The engine's grid.
    nodes : int
        How many partitions there are; each must have its node.
    patience : float
        Seconds to wait for the nodes.

    Raises
    ------
    EngineError
        If there are fewer nodes by then, or they do not own the partitions 0 to nodes - 1.
    """

    last_exchange = None

    def __init__(self, grid: Grid, nodes: int, patience: float = 300.0) -> None:
        self._grid = grid
        self._engine_nodes = _by_partition(grid, _awaited(grid, nodes, patience), nodes, patience)
        self._pushed: dict[str, int] = {}  # the engine's nodes by identifiers of messages
        self._local_nodes = {node: node_of(partition) for partition, node in enumerate(self._engine_nodes)}
        self.restrict(list(self._local_nodes.values()))

    def set_run(self, run: Run) -> None:
        """Set the run this grid operates in."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """The run this grid operates in."""
        return self._grid.run

    def get_node_ids(self) -> list[int]:
        """Return all node ids, in the order of the partitions; also of nodes that have gone since."""
        return list(self._nodes)

    def restrict(self, nodes: Sequence[int]) -> None:
        """Let the server app know of these nodes alone, until it is told otherwise."""
        self._nodes = nodes

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send messages and return their identifiers."""
        sent = [self._outward(message) for message in messages]
        identifiers = list(self._grid.push_messages(sent))
        self._pushed |= _nodes_asked(sent)
        return identifiers

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies that are there, each once, sorted by partition."""
        replies = list(self._grid.pull_messages(message_ids))
        for reply in replies:
            self._turn_inward(reply, self._pushed)
            self._pushed.pop(reply.metadata.reply_to_message_id, None)
        return sorted(replies, key=_source)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Send messages, wait, and return one reply or error for each, sorted by partition."""
        requests = list(messages)
        sent = [self._outward(request) for request in requests]
        replies = defaultdict[int, deque[Message]](deque)  # of a node that was sent several, in any order
        for reply in self._grid.send_and_receive(sent, timeout=timeout):
            self._turn_inward(reply, _nodes_asked(sent))
            replies[_source(reply)].append(reply)
        missing = Error(NODE_UNAVAILABLE, "the node did not reply in time")
        nodes = [(replies[request.metadata.dst_node_id], request) for request in requests]
        return sorted(
            (queue.popleft() if queue else reply_to(request, None, missing) for queue, request in nodes),
            key=_source,
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Return nothing: what nodes keep is theirs, and a run on an engine cannot be resumed."""
        return {"counts": np.zeros((0, 2), np.int64)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:  # noqa: ARG002
        """Refuse: nodes keep their own state."""
        raise EngineError(
            "a run on one of Flower's engines cannot be resumed: its nodes keep their own state"
        )

    def close(self) -> None:
        """Do nothing: the engine is not ours."""

    def _outward(self, message: Message) -> Message:
        return readdressed(message, self._engine_nodes[partition_of(message.metadata.dst_node_id)])

    def _turn_inward(self, reply: Message, asked: Mapping[str, int]) -> None:
        """Give a reply the node of its partition; an engine answers in its own name for lost nodes."""
        engine_node = asked.get(reply.metadata.reply_to_message_id, reply.metadata.src_node_id)
        set_source(reply, self._local_nodes.get(engine_node, engine_node))


def _nodes_asked(sent: Sequence[Message]) -> dict[str, int]:
    """Return the engine's nodes by the identifiers that it has given to messages."""
    return {message.metadata.message_id: message.metadata.dst_node_id for message in sent}


def _source(message: Message) -> int:
    return message.metadata.src_node_id


def _awaited(grid: Grid, nodes: int, patience: float) -> list[int]:
    deadline = time.monotonic() + patience
    while len(node_ids := sorted(grid.get_node_ids())) < nodes:
        if time.monotonic() > deadline:
            raise EngineError(
                f"{nodes} nodes are needed (actors), {len(node_ids)} are there after {patience:g} s"
            )
        time.sleep(PAUSE)
    return node_ids


def _by_partition(grid: Grid, node_ids: Sequence[int], nodes: int, patience: float) -> list[int]:
    """Ask each node which partition it owns."""
    asked = [Message(RecordDict(), node, f"{MessageType.QUERY}.{PARTITION_QUERY}") for node in node_ids]
    owners: dict[int, int] = {}
    replies = list(grid.send_and_receive(asked, timeout=patience))
    if silent := set(node_ids) - {reply.metadata.src_node_id for reply in replies}:
        raise EngineError(f"node {min(silent)} does not say who it is within {patience:g} s")
    for reply in replies:
        if reply.has_error():
            raise EngineError(
                f"node {reply.metadata.src_node_id} does not say who it is: {reply.error.reason}"
            )
        partition, count = reported_partition(reply)
        if (
            count != nodes
            or owners.setdefault(partition, reply.metadata.src_node_id) != reply.metadata.src_node_id
        ):
            raise EngineError(
                f"a node owns partition {partition} of {count}, but the run has {nodes} actors, a node each; "
                f'start nodes with --node-config "partition-id=… num-partitions={nodes}"'
            )
    if missing := set(range(nodes)) - owners.keys():
        raise EngineError(f"no node owns partition {min(missing)}")
    return [owners[partition] for partition in range(nodes)]
