"""The local grid: Flower's seam between a server app and its clients, over actors.

Its nodes are always there, unless `restrict` hides some; every request ends in exactly one reply or error;
replies come sorted by partition, whatever the order of requests and of completion.
"""

import logging
import threading
import time
from abc import abstractmethod
from collections import Counter, deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from flwr.app import Error, Message, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from fedlocal.actors import Autoscaler, Batch, Broadcast, Buffer, Envelope, Reply, Result, System, readable
from fedlocal.flower.compat.private import (
    CLIENT_APP_CRASHED,
    CLIENT_APP_RAISED,
    NODE_UNAVAILABLE,
    RUN_ID,
    Run,
    become_server,
    empty_run,
    reply_to,
    stamped,
)
from fedlocal.flower.grid.outbox import Outbox
from fedlocal.flower.messages.codec import CodecError, decode_reply, encode_content, encode_request
from fedlocal.flower.node.client_runner import FIRST_NODE, partition_of

_log = logging.getLogger(__name__)

Encoded = tuple[bytes, Sequence[Buffer]]
"""A content as header and buffers."""

AHEAD = 6  # groups under way: enough for workers to go on while the caller averages a group
AHEAD_BYTES = 1 << 29  # of their replies, but never fewer than two groups


@dataclass(frozen=True)
class Handling:
    """When and where one request was handled (``time.perf_counter`` seconds)."""

    partition: int
    worker: int
    started: float
    ended: float

    @property
    def seconds(self) -> float:
        """The time that the handling took."""
        return self.ended - self.started


@dataclass(frozen=True)
class ExchangeTimes:
    """The times of one exchange of messages: from `started` to `ended`, and what ran in between."""

    started: float
    ended: float
    workers: int
    handlings: tuple[Handling, ...]


class NoReplyError(Error):
    """The error in place of a reply that did not come in time."""


class OpenGrid(Grid):
    """A grid whose nodes are the partitions: it can hide nodes and be captured, and it has an end."""

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Make a message, as older apps do."""
        return Message(content, dst_node_id, message_type, group_id=group_id, ttl=ttl)

    @abstractmethod
    def restrict(self, nodes: Sequence[int]) -> None:
        """Let the server app know of these nodes alone, until it is told otherwise."""

    @abstractmethod
    def state(self) -> dict[str, NDArray[Any]]:
        """Return what the next messages depend on, as arrays that do not change."""

    @abstractmethod
    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` returned of another grid; before any message."""

    @abstractmethod
    def close(self) -> None:
        """Release what the grid holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LocalGrid(OpenGrid):
    """A grid of nodes on this device; closing it closes its system.

    Parameters
    ----------
    system : System
        Runs the nodes; actor i is the node that owns partition i.
    costs : sequence of float
        Expected work of one message to each node, in any unit; the longest goes first.
    autoscaler : Autoscaler, optional
        Changes the number of the system's workers between exchanges; by default it stays.
    """

    def __init__(
        self,
        system: System,
        costs: Sequence[float] | NDArray[np.float64],
        autoscaler: Autoscaler | None = None,
    ) -> None:
        self.last_exchange: ExchangeTimes | None = None
        self._system, self._costs, self._autoscaler = system, costs, autoscaler
        self.restrict(range(FIRST_NODE, FIRST_NODE + len(costs)))
        self._counts: Counter[int] = Counter()
        self._counting = threading.Lock()
        self._outbox = Outbox(system)
        self.set_run(empty_run(RUN_ID))
        become_server(RUN_ID)

    def set_run(self, run: Run) -> None:
        """Set the run this grid operates in."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run this grid operates in."""
        return self._run

    def get_node_ids(self) -> list[int]:
        """Return all node ids, in the order of the partitions."""
        return self._node_ids.copy()

    def restrict(self, nodes: Sequence[int]) -> None:
        """Let the server app know of these nodes alone, until it is told otherwise; all keep their states."""
        self.nodes = nodes
        self._node_ids = list(nodes)
        self._visible = nodes if isinstance(nodes, range) else frozenset(nodes)

    def cost(self, node: int) -> float:
        """Return the expected work of a message to a node."""
        return float(self._costs[partition_of(node)])

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send messages and return their identifiers at once; those to unknown nodes are left out."""
        requests = self._stamped(self._deliverable(messages))
        contents = self._shared(requests)
        self._outbox.push(requests, self._envelopes(requests, contents))
        self._outbox.collect(self._read)
        return [request.metadata.message_id for request in requests]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Return the replies that are there, each once, sorted by partition.

        As with Flower's grids, an identifier for which none will come has an error of code 3: nobody sent
        such a message, its reply was pulled before, or its time to live is over.
        """
        return _sorted(self._outbox.pull(message_ids, self._read))

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Send messages, wait, and return one reply or error for each, sorted by partition.

        Raises
        ------
        ActorSystemError
            If the grid was closed meanwhile.
        """
        return self.ask(messages, timeout)[0]

    def ask(
        self, messages: Iterable[Message], timeout: float | None = None
    ) -> tuple[list[Message], ExchangeTimes]:
        """Send messages, wait, and return one reply or error for each, sorted by partition, and the times."""
        requests, replies = list(messages), list[Message]()
        exchange = self.exchange(requests, [range(len(requests))] if requests else [], timeout)
        while True:
            try:
                replies += next(exchange)
            except StopIteration as end:
                times: ExchangeTimes = end.value
                return _sorted(replies), times

    def exchange(
        self, messages: Sequence[Message], groups: Sequence[Sequence[int]], timeout: float | None = None
    ) -> Generator[list[Message], None, ExchangeTimes]:
        """Send messages and yield their replies by groups, each group as soon as it is complete.

        Only a few groups are under way at once: their replies are all the memory that it takes, if the caller
        releases each group before the next.

        Parameters
        ----------
        messages : sequence of Message
            The requests.
        groups : sequence of sequence of int
            Which requests make a group; they are sent and yielded in this order.
        timeout : float, optional
            Seconds for all of it; a message without a reply by then has an error instead.

        Returns
        -------
        ExchangeTimes
            The times, also in `last_exchange`.

        Raises
        ------
        ActorSystemError
            If the grid was closed meanwhile.
        """
        started = time.perf_counter()
        if self._autoscaler:
            self._autoscaler.begin()
        requests = self._stamped(messages)
        contents = self._shared(requests)
        handlings: list[Handling] = []
        waiting = deque([requests[index] for index in group] for group in groups)
        under_way: deque[tuple[list[Message], Batch]] = deque()
        size = max((content.nbytes for content in contents.values()), default=0) * max(
            map(len, groups), default=0
        )
        most = max(2, min(AHEAD, AHEAD_BYTES // max(size, 1)))
        try:
            while waiting or under_way:
                while waiting and len(under_way) < most:
                    group = waiting.popleft()
                    under_way.append((group, self._system.post(self._envelopes(group, contents))))
                yield self._received(*under_way.popleft(), handlings, started, timeout)
        finally:
            for _, batch in under_way:
                self._system.withdraw(batch, "nobody waits for it any more")
            for content in contents.values():
                self._system.release(content)
        ended = time.perf_counter()
        self.last_exchange = ExchangeTimes(started, ended, self._system.workers, tuple(handlings))
        if self._autoscaler:
            self._autoscaler.end(
                len(requests), ended - started, sum(handling.seconds for handling in handlings)
            )
        return self.last_exchange

    def _received(
        self,
        requests: list[Message],
        batch: Batch,
        handlings: list[Handling],
        started: float,
        timeout: float | None,
    ) -> list[Message]:
        """Wait for a batch and decode it; nothing here keeps a reply, for it lies in shared memory."""
        left = None if timeout is None else max(0.0, started + timeout - time.perf_counter())
        if not batch.wait(left):
            self._system.withdraw(batch, f"no reply within {timeout:g} s")
        results = batch.results()
        handlings += handled(results)
        return [self._message(request, result) for result, request in zip(results, requests, strict=True)]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what the next messages depend on: how many each node has had, and the nodes' states."""
        states = {
            f"states/{actor}": np.frombuffer(state, np.uint8)  # not copied
            for actor, state in sorted(self._system.states().items())
        }
        counts = sorted(self._counts.items())
        return {"counts": np.array(counts, np.int64).reshape(-1, 2), **states}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` returned of another grid; before any message."""
        self._counts.update(dict(state["counts"].tolist()))
        states = {path.partition("/"): array for path, array in state.items()}
        self._system.restore(
            {int(actor): array.tobytes() for (kind, _, actor), array in states.items() if kind == "states"}
        )

    def close(self) -> None:
        """End the system that runs the nodes."""
        self._system.close()
        self._outbox.close()

    def _stamped(self, messages: Iterable[Message]) -> list[Message]:
        """Give each message an identifier that says which message to which partition it is.

        The messages returned are copies, whose identifiers stay: an app may send a message again.
        """
        requests = []
        for message in messages:
            node = message.metadata.dst_node_id
            if node not in self._visible:
                raise ValueError(self._no_such(node))
            with self._counting:  # older strategies send from many threads
                self._counts[node] += 1
                requests.append(stamped(message, f"{partition_of(node)}:{self._counts[node]}"))
        return requests

    def _shared(self, requests: Sequence[Message]) -> dict[int, Broadcast]:
        """Share the contents of requests, by identity: a content of several requests is encoded once."""
        contents = {id(request.content): request.content for request in requests}
        encoded = {key: encode_content(content) for key, content in contents.items()}
        self._sending(requests, encoded)
        return {key: self._system.share(*parts) for key, parts in encoded.items()}

    def _deliverable(self, messages: Iterable[Message]) -> list[Message]:
        """Leave out messages to unknown nodes, as Flower does."""
        requests = list(messages)
        for request in requests:
            if (node := request.metadata.dst_node_id) not in self._visible:
                _log.error("a message is not sent: %s", self._no_such(node))
        return [request for request in requests if request.metadata.dst_node_id in self._visible]

    def _no_such(self, node: int) -> str:
        return f"there is no node {node}: they are {self.nodes[0]} to {self.nodes[-1]}"

    def _sending(self, requests: Sequence[Message], encoded: Mapping[int, Encoded]) -> None:
        """Take note of messages that are about to be sent, and of their contents' bytes, by ``id``."""

    def _message(self, request: Message, result: Result) -> Message:
        """Return the reply to a message, or the error in its place."""
        if isinstance(result, Reply):
            try:
                return decode_reply(result.wire, request)
            except CodecError as error:
                reason = f"client {result.actor}: invalid reply: {error}"
                return reply_to(request, None, Error(CLIENT_APP_RAISED, readable(reason)))
        code = _CODES.get(result.cause, CLIENT_APP_RAISED)
        reason = readable(f"client {result.actor}: {result.reason}\n{result.traceback}".strip())
        kind = NoReplyError if result.cause == "timeout" else Error
        return reply_to(request, None, kind(code, reason))

    def _read(self, request: Message, result: Result) -> Message:
        """Return the reply to a message that was pushed."""
        return self._message(request, result)

    def _envelopes(self, requests: Sequence[Message], contents: Mapping[int, Broadcast]) -> list[Envelope]:
        envelopes = []
        for request in requests:
            content = contents[id(request.content)]
            node = request.metadata.dst_node_id
            body, actor = encode_request(request), partition_of(node)
            envelopes.append(Envelope(actor, body, content, self.cost(node), content.nbytes))
        return envelopes


def handled(results: Sequence[Result]) -> tuple[Handling, ...]:
    """Return when and where the messages were handled that have a reply."""
    return tuple(
        Handling(result.actor, result.worker, result.started, result.ended)
        for result in results
        if isinstance(result, Reply)
    )


_CODES = {
    **dict.fromkeys(("timeout", "unavailable", "stopped"), NODE_UNAVAILABLE),
    **dict.fromkeys(("crash", "deadline", "killed"), CLIENT_APP_CRASHED),
}


def _sorted(replies: list[Message]) -> list[Message]:
    return sorted(replies, key=lambda reply: reply.metadata.src_node_id)
