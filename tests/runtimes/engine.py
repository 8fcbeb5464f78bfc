"""An engine like Flower's own, in this process: node ids at random, replies in any order."""

import random
from collections.abc import Iterable

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from fedlocal.actors import InlineSystem
from fedlocal.flower.compat.private import (
    RUN_ID,
    Run,
    readdressed,
    replacement,
    stamped,
    unknown_message,
)
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.node.client_runner import ClientRunner, InlineClientActors, node_of
from fedlocal.runtimes.client import client_app
from fedlocal.runtimes.federation import OVERRIDES, as_text, composed


class Engine(Grid):
    """Runs fedlocal's client app on nodes that own partitions in a random order.

    Parameters
    ----------
    line : str
        The options that each client composes its configuration from.
    nodes : int
        How many nodes.
    partitions : int, optional
        How many partitions they believe there are.
    seed : int
        Of the global generators, which an engine does not seed for the run.
    """

    def __init__(self, line: str, nodes: int, partitions: int | None = None, seed: int = 0) -> None:
        draw = random.Random(3)
        text = as_text(composed(line))
        app = client_app(lambda context: text)
        runner = ClientRunner(app, partitions or nodes, seed, RUN_ID, {OVERRIDES: line})
        self.inner = LocalGrid(InlineSystem(lambda: InlineClientActors(lambda: runner)), [1.0] * nodes)
        self.silent: set[int] = set()  # partitions whose nodes do not reply
        self.gone: set[int] = set()  # partitions for whose nodes the engine replies
        self.spoke = 1  # exchanges before that
        self._exchanges = 0
        self._draw = draw
        ids = draw.sample(range(10**9, 10**12), nodes)
        self._partitions = dict(zip(ids, draw.sample(range(nodes), nodes), strict=True))

    def set_run(self, run: Run) -> None:
        self.inner.set_run(run)

    @property
    def run(self) -> Run:
        return self.inner.run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        return self.inner.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        return list(self._partitions)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        raise NotImplementedError

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        raise NotImplementedError

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        self._exchanges += 1
        partitions = [(message, self._partitions[message.metadata.dst_node_id]) for message in messages]
        lost = self.silent | self.gone if self._exchanges > self.spoke else set[int]()
        asked = [
            readdressed(message, node_of(partition))
            for message, partition in partitions
            if partition not in lost
        ]
        theirs = {node_of(partition): node for node, partition in self._partitions.items()}
        replies = []
        for reply in self.inner.send_and_receive(asked, timeout=timeout):
            content = reply.content if reply.has_content() else None
            changed = replacement(reply, content, reply.error if reply.has_error() else None)
            changed.metadata.__dict__["_src_node_id"] = theirs[reply.metadata.src_node_id]
            stamped(changed, "an engine's own")
            replies.append(changed)
        for message, partition in partitions:
            if partition in lost & self.gone:
                stamped(message, f"to {partition}")
                replies.append(unknown_message(f"to {partition}"))
        self._draw.shuffle(replies)
        return replies
