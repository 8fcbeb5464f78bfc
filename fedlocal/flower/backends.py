"""Where clients run: the fillings of the local grid, one Hydra preset each.

Flower is imported when a grid opens, not before: until then worker processes warm up beside the caller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import ActorSystem, InlineSystem, warm_up

if TYPE_CHECKING:
    from fedlocal.flower.grid import LocalGrid
    from fedlocal.flower.host import Host

Costs = Sequence[float] | NDArray[np.float64]

PRELOAD = ("fedlocal.flower.client_app", "fedlocal.flower.host", "scipy.linalg.blas")


class Backend(Protocol):
    """Runs the clients of a federation."""

    def prepare(self) -> None:
        """Begin, in the background, what takes time and needs nothing."""
        ...

    def open(self, start: "Callable[[], Host]", costs: Costs, workers: int) -> "LocalGrid":
        """Open the grid.

        Parameters
        ----------
        start : callable
            Makes the host of the client app; it must pickle.
        costs : sequence of float
            Expected work of a message to each client.
        workers : int
            How many messages are handled at the same time, where the backend can.
        """
        ...


@dataclass(frozen=True)
class Inline:
    """Clients run in this process and thread, one after another."""

    def prepare(self) -> None:
        """Do nothing."""

    def open(self, start: "Callable[[], Host]", costs: Costs, workers: int) -> "LocalGrid":  # noqa: ARG002
        """Open the grid; `workers` makes no difference."""
        from fedlocal.flower.grid import LocalGrid
        from fedlocal.flower.host import GuestActors

        return LocalGrid(InlineSystem(partial(GuestActors, start)), costs)


@dataclass(frozen=True)
class Actors:
    """Clients are actors that worker processes run.

    Parameters
    ----------
    start_method : {"forkserver", "spawn"}, optional
        How worker processes start; by default the first that the platform has.
    """

    start_method: Literal["forkserver", "spawn"] | None = None

    def prepare(self) -> None:
        """Start the process that workers fork from, and have it import what they need."""
        if self.start_method != "spawn":
            warm_up(PRELOAD)

    def open(self, start: "Callable[[], Host]", costs: Costs, workers: int) -> "LocalGrid":
        """Open the grid with at most as many workers as there are clients."""
        from fedlocal.flower.grid import LocalGrid
        from fedlocal.flower.host import ClientActors

        behaviour, count = partial(ClientActors, start), min(workers, len(costs))
        return LocalGrid(ActorSystem(behaviour, workers=count, method=self.start_method), costs)
