"""Which clients take part in a round: strategies see the nodes that are there, and no other nodes.

Flower's strategies wait for ever for as many nodes as they need. No node comes in the middle of a round here:
a round in which too few are there is over before it has begun.
"""

import numpy as np
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from fedlocal.availability import Presence
from fedlocal.flower.grid.local_grid import OpenGrid
from fedlocal.flower.node.client_runner import node_of
from fedlocal.flower.server.strategy_steps import Phase
from fedlocal.flower.server.wrapping import innermost


def admit(grid: Grid, presence: Presence, phase: Phase, strategy: Strategy) -> str:
    """Let a strategy know of the nodes that are there in a phase of a round.

    Returns
    -------
    str
        Why the strategy would wait for ever for nodes to ask; empty if it would not.

    Raises
    ------
    TypeError
        If the grid cannot hide nodes.
    """
    if not isinstance(grid, OpenGrid):
        raise TypeError(f"the nodes of a {type(grid).__name__} are always there")
    there = np.flatnonzero(presence.available if phase == "train" else presence.to_the_end).tolist()
    grid.restrict([node_of(actor) for actor in there])
    names, sampling = ("min_available_nodes", f"min_{phase}_nodes"), innermost(strategy)
    needed = max([1, *(number for name in names if isinstance(number := getattr(sampling, name, 1), int))])
    if len(there) >= needed:
        return ""
    needs = f", the strategy needs {needed} ({names[0]}, {names[1]})"
    return f"{presence}{needs if needed > 1 else ''}"
