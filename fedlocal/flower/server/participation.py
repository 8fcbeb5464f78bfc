"""Which clients take part in a round: strategies see the nodes that are there, and no other nodes.

Flower's strategies wait for ever for as many nodes as they need. No node comes in the middle of a round here:
a round in which too few are there is over before it has begun.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Literal

import numpy as np
from flwr.app import Message
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from fedlocal.availability import Presence, Presences
from fedlocal.flower.grid.local_grid import OpenGrid
from fedlocal.flower.node.client_runner import node_of, partition_of
from fedlocal.flower.server.wrapping import innermost

Phase = Literal["train", "evaluate"]


@dataclass(frozen=True)
class Participation:
    """The clients that take part in a round.

    Parameters
    ----------
    presence : Presence, optional
        Which clients are there; by default all.
    """

    presence: Presence | None = None

    def admit(self, grid: Grid, phase: Phase) -> None:
        """Let strategies know of the nodes that are there in this phase of the round.

        Raises
        ------
        TypeError
            If the grid cannot hide nodes.
        """
        if self.presence is None:
            return
        if not isinstance(grid, OpenGrid):
            raise TypeError(f"the nodes of a {type(grid).__name__} are always there")
        actors = np.flatnonzero(_in(self.presence, phase)).tolist()
        grid.restrict([node_of(actor) for actor in actors])

    def too_few(self, strategy: Strategy, phase: Phase) -> str:
        """Say why a strategy would wait for ever for nodes to ask; empty if it would not."""
        if self.presence is None:
            return ""
        there, needed = int(_in(self.presence, phase).sum()), _needed(strategy, phase)
        if there >= needed:
            return ""
        needs = f", the strategy needs {needed} (min_available_nodes, min_{phase}_nodes)"
        return f"{self.presence}{needs if needed > 1 else ''}"

    def answering(self, messages: Sequence[Message]) -> list[Message]:
        """Return the messages to clients that will answer: a client that leaves loses its work, no error."""
        if self.presence is None:
            return list(messages)
        answers = self.presence.to_the_end
        return [message for message in messages if answers[partition_of(message.metadata.dst_node_id)]]


def participations(presences: Presences, after: int, last: int) -> Iterator[Participation]:
    """Yield the participation in the rounds after `after`, up to `last`."""
    upcoming = presences()
    return islice(map(Participation, upcoming) if upcoming else repeat(Participation()), after, last)


def _in(presence: Presence, phase: Phase) -> NDArray[np.bool_]:
    return presence.available if phase == "train" else presence.to_the_end


def _needed(strategy: Strategy, phase: str) -> int:
    """Return how many nodes a strategy waits for."""
    strategy = innermost(strategy)
    names = ("min_available_nodes", f"min_{phase}_nodes")
    numbers = [number for name in names if isinstance(number := getattr(strategy, name, None), int)]
    return max([1, *numbers])
