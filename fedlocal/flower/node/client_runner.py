"""Runs client apps, here or in a worker: a call has its node's state and seeds, nothing of other calls."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import takewhile
from typing import Any, Protocol, runtime_checkable

from flwr.app import Context, Error, Message, MessageType, RecordDict, UserConfig

from fedlocal.actors import ActorRequest, Outcome, Wire
from fedlocal.flower.compat.private import SERVER_NODE
from fedlocal.flower.messages.codec import (
    CodecError,
    Contents,
    decode_request,
    encode_reply,
    is_of_type,
    message_id_of,
    pack_state,
    unpack_state,
)
from fedlocal.flower.node.seeding import preserved, seed_globals
from fedlocal.seeds import Stream

FIRST_NODE = SERVER_NODE + 1
MAX_REPLY = 1 << 30  # bytes of a reply, unless as many were sent
MAX_SMALL = 1 << 20  # bytes, beside arrays as large as those that were sent


def node_of(partition: int) -> int:
    """Return the node that owns a partition: fixed, and in the order of the partitions."""
    return FIRST_NODE + partition


def partition_of(node: int) -> int:
    """Return the partition that a node owns."""
    return node - FIRST_NODE


@runtime_checkable
class JointTraining(Protocol):
    """An app that may be asked to train several clients at once, each to the reply that it gives alone."""

    def stack_size(self, partitions: Sequence[int]) -> int:
        """Return how many of these clients, from the first on, can be asked to train at once."""

    def train_stack(self, content: RecordDict, states: Mapping[int, RecordDict]) -> Iterable[RecordDict]:
        """Yield the replies of clients that are all sent this content to train, and change their states.

        Parameters
        ----------
        content : RecordDict
            Of the request; it may be answered without a ``Message`` or a ``Context``.
        states : mapping of int to RecordDict
            By partition.
        """


@dataclass(frozen=True)
class ClientRunner:
    """Runs the client app of a run for whichever node a message is for.

    Parameters
    ----------
    app : ClientApp or callable
        The app, or what calls it.
    nodes : int
        How many nodes the run has.
    seed : int
        Each call starts with global generators (Python's, NumPy's, those of frameworks) seeded from it, from
        the node and from the number of the node's message.
    run_id : int
        The run's identifier.
    run_config : mapping
        What the app finds in its context.
    """

    app: Callable[[Message, Context], Message]
    nodes: int
    seed: int
    run_id: int
    run_config: Mapping[str, Any] = field(default_factory=dict)

    def run(self, request: Message, state: RecordDict) -> Message:
        """Have the app answer one request; `state` is the node's, and may be changed."""
        node, message_id = request.metadata.dst_node_id, request.metadata.message_id
        node_config: UserConfig = {"partition-id": partition_of(node), "num-partitions": self.nodes}
        context = Context(self.run_id, node, node_config, state, dict(self.run_config))
        seed_globals(entropy_of(self.seed, message_id))
        reply = self.app(request, context)
        if not isinstance(reply, Message):
            raise TypeError(f"the client app must return a Message, it returned {type(reply).__name__}")
        kept: object = context.state
        if not isinstance(kept, RecordDict):
            raise TypeError(
                f"context.state must be a RecordDict, the client app made it {type(kept).__name__}"
            )
        if kept is not state:  # an app may replace it, as on Flower's engines
            records = dict(kept)
            state.clear()
            state.update(records)
        return reply


class ClientActors:
    """The behaviour of actors that are Flower nodes: actor i owns partition i.

    Parameters
    ----------
    start : callable
        Makes the runner; called once, in the worker.
    """

    def __init__(self, start: Callable[[], ClientRunner]) -> None:
        self._runner = start()
        self._joint = self._runner.app if isinstance(self._runner.app, JointTraining) else None
        self._contents = Contents()

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        """Answer one request with the app's reply and the node's new state."""
        records, content = unpack_state(state), self._contents.decode(message)
        if self._joint and is_of_type(message.body, MessageType.TRAIN):
            seed_globals(entropy_of(self._runner.seed, message_id_of(message.body)))
            (reply,) = self._joint.train_stack(content, {actor: records})
            return _encoded(reply, message), pack_state(records)
        answer = self._runner.run(decode_request(message.body, content), records)
        return _encoded(answer.error if answer.has_error() else answer.content, message), pack_state(records)

    def stack_size(self, requests: Sequence[ActorRequest]) -> int:
        """Return how many of these requests to answer at once: those to train with the same content."""
        if self._joint is None:
            return 1
        first = requests[0].message
        alike = takewhile(
            lambda request: (
                request.message.arrays is first.arrays
                and request.message.header == first.header
                and is_of_type(request.message.body, MessageType.TRAIN)
                and not request.state
            ),
            requests,
        )
        actors = [request.actor for request in alike]
        return self._joint.stack_size(actors) if actors else 1

    def handle_stack(self, requests: Sequence[ActorRequest]) -> Sequence[Outcome]:
        """Answer requests at once."""
        if self._joint is None:
            raise TypeError("this app answers one request at a time")
        message, stateless = requests[0].message, RecordDict()
        states = {request.actor: stateless for request in requests}
        replies = self._joint.train_stack(self._contents.decode(message), states)
        return [(_encoded(reply, message), b"") for reply in replies]


class InlineClientActors(ClientActors):
    """Client actors in a process that has other work: its global generators stay as they are."""

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        """Answer one request."""
        with preserved():  # the runner seeds them for the message
            return super().handle(actor, message, state)


def _encoded(reply: RecordDict | Error, request: Wire) -> Wire:
    """Return a reply of at most `MAX_REPLY` bytes, or of arrays as large as those of the request."""
    wire = encode_reply(reply)
    size = len(wire.header) + len(wire.body) + sum(map(len, wire.arrays))
    if size > MAX_REPLY and size > MAX_SMALL + sum(map(len, request.arrays)):
        raise CodecError(f"the reply takes {size} bytes; at most {MAX_REPLY} travel, or as many as were sent")
    return wire


def entropy_of(seed: int, message: str) -> int:
    """Return what global generators are seeded with for a message, whose name says its partition."""
    key = f"{seed} {Stream.CLIENT:d} {message.replace(':', ' ')}".encode()
    return int.from_bytes(blake2b(key, digest_size=4).digest())  # a SeedSequence takes ten times as long
