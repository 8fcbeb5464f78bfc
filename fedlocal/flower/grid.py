"""The local grid: Flower's seam between a server app and its clients, filled with actors.

Its nodes are always there; every request ends in exactly one reply or error; replies come sorted by
partition, whatever the order of requests and of completion.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from flwr.app import Error, Message, RecordDict
from flwr.serverapp import Grid

from fedlocal.actors import Batch, Broadcast, Envelope, Reply, Result, System
from fedlocal.flower.codec import decode_reply, encode_content, encode_request
from fedlocal.flower.host import FIRST_NODE, node_of, partition_of
from fedlocal.flower.private import (
    CLIENT_APP_RAISED,
    NODE_UNAVAILABLE,
    RUN_ID,
    Run,
    become_server,
    empty_run,
    set_message_id,
)


@dataclass(frozen=True)
class Handling:
    """When and where one request was handled (``time.perf_counter`` seconds)."""

    partition: int
    worker: int
    started: float
    ended: float


@dataclass(frozen=True)
class Exchange:
    """The times of one ``send_and_receive``: from `begun` to `ended`, and what ran in between."""

    begun: float
    ended: float
    workers: int
    handlings: tuple[Handling, ...]


@dataclass(frozen=True)
class _Pushed:
    batch: Batch
    index: int
    request: Message
    contents: list[Broadcast]


class LocalGrid(Grid):
    """A grid of nodes on this device; it closes the system that it is given.

    Parameters
    ----------
    system : System
        Runs the nodes; actor i is the node that owns partition i.
    costs : sequence of float
        Expected work of one message to each node, in any unit; the longest goes first.
    """

    def __init__(self, system: System, costs: Sequence[float]) -> None:
        self.last_exchange: Exchange | None = None
        self._system, self._costs = system, costs
        self._node_ids = [node_of(partition) for partition in range(len(costs))]
        self._counts: Counter[int] = Counter()
        self._pushed: dict[str, _Pushed] = {}
        self.set_run(empty_run(RUN_ID))
        become_server(RUN_ID)

    def set_run(self, run: Run) -> None:
        """Set the run this grid operates in."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run this grid operates in."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Make a message; the way of older apps."""
        return Message(content, dst_node_id, message_type, group_id=group_id, ttl=ttl)

    def get_node_ids(self) -> list[int]:
        """Return all node ids, in the order of the partitions."""
        return self._node_ids

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send messages and return their identifiers at once."""
        requests = self._stamped(messages)
        envelopes, contents = self._envelopes(requests)
        batch = self._system.post(envelopes)
        for index, request in enumerate(requests):
            self._pushed[request.metadata.message_id] = _Pushed(batch, index, request, contents)
        return [request.metadata.message_id for request in requests]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies that are there, each once, sorted by partition."""
        replies = []
        for identifier in message_ids:
            pushed = self._pushed.get(identifier)
            if pushed and (result := pushed.batch.result(pushed.index)) is not None:
                replies.append(_as_message(result, pushed.request))
                del self._pushed[identifier]
                if pushed.batch.done:
                    self._release(pushed.contents)
        return _sorted(replies)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Send messages, wait, and return one reply or error for each, sorted by partition.

        Raises
        ------
        ActorSystemError
            If a worker died.
        """
        begun = time.perf_counter()
        requests = self._stamped(messages)
        envelopes, contents = self._envelopes(requests)
        results = self._system.ask(envelopes, timeout)
        self._release(contents)
        replies = [_as_message(result, request) for result, request in zip(results, requests, strict=True)]
        handlings = tuple(
            Handling(result.actor, result.worker, result.started, result.ended)
            for result in results
            if isinstance(result, Reply)
        )
        self.last_exchange = Exchange(begun, time.perf_counter(), self._system.workers, handlings)
        return _sorted(replies)

    def close(self) -> None:
        """End the system that runs the nodes."""
        self._system.close()

    def _stamped(self, messages: Iterable[Message]) -> list[Message]:
        """Give each message an identifier that says which message to which partition it is."""
        requests = list(messages)
        for request in requests:
            node = request.metadata.dst_node_id
            if not 0 <= partition_of(node) < len(self._node_ids):
                last = node_of(len(self._node_ids) - 1)
                raise ValueError(f"there is no node {node}: the grid's nodes are {FIRST_NODE} to {last}")
            self._counts[node] += 1
            set_message_id(request, f"{partition_of(node)}:{self._counts[node]}")
        return requests

    def _envelopes(self, requests: Sequence[Message]) -> tuple[list[Envelope], list[Broadcast]]:
        """Address requests; a content that several of them carry is encoded and shared once."""
        shared: dict[int, Broadcast] = {}
        envelopes = []
        for request in requests:
            content = shared.get(id(request.content))
            if content is None:
                content = shared[id(request.content)] = self._system.share(*encode_content(request.content))
            partition = partition_of(request.metadata.dst_node_id)
            body, cost = encode_request(request), self._costs[partition]
            envelopes.append(Envelope(partition, body, content, cost, reply_bytes=content.nbytes))
        return envelopes, list(shared.values())

    def _release(self, contents: Iterable[Broadcast]) -> None:
        for content in contents:
            self._system.release(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _as_message(result: Result, request: Message) -> Message:
    if isinstance(result, Reply):
        return decode_reply(result.wire, request)
    code = NODE_UNAVAILABLE if result.cause == "timeout" else CLIENT_APP_RAISED
    reason = f"client {result.actor}: {result.reason}"
    return Message(Error(code, f"{reason}\n{result.traceback}".strip()), reply_to=request)


def _sorted(replies: list[Message]) -> list[Message]:
    return sorted(replies, key=lambda reply: reply.metadata.src_node_id)
