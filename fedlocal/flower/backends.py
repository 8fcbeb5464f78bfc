"""Where clients run: the fillings of the local grid, one Hydra preset each.

Flower is imported when a grid opens, not before: until then worker processes warm up beside the caller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import ActorSystem, Behaviour, InlineSystem, System, warm_up

if TYPE_CHECKING:
    from fedlocal.flower.grid import LocalGrid
    from fedlocal.flower.host import Host

Costs = Sequence[float] | NDArray[np.float64]

PRELOAD = ("fedlocal.flower.client_app", "fedlocal.flower.host", "fedlocal.models.blas")


class Backend(Protocol):
    """Runs the clients of a federation."""

    def prepare(self, preload: Sequence[str] = ()) -> None:
        """Begin, in the background, what takes time and needs nothing.

        Parameters
        ----------
        preload : sequence of str
            Modules that other actors of the run will import.
        """
        ...

    def system(self, start: Callable[[], Behaviour], workers: int) -> System:
        """Open a system of actors that run where clients do.

        Parameters
        ----------
        start : callable
            Builds their behaviour; it must pickle.
        workers : int
            How many messages are handled at the same time, where the backend can.
        """
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

    def prepare(self, preload: Sequence[str] = ()) -> None:
        """Do nothing."""

    def system(self, start: Callable[[], Behaviour], workers: int) -> System:  # noqa: ARG002
        """Open a system without workers."""
        return InlineSystem(start)

    def open(self, start: "Callable[[], Host]", costs: Costs, workers: int) -> "LocalGrid":
        """Open the grid; `workers` makes no difference."""
        from fedlocal.flower.grid import LocalGrid
        from fedlocal.flower.host import GuestActors

        return LocalGrid(self.system(partial(GuestActors, start), workers), costs)


@dataclass(frozen=True)
class Actors:
    """Clients are actors that worker processes run.

    Parameters
    ----------
    start_method : {"forkserver", "spawn"}, optional
        How worker processes start; by default the first that the platform has.
    """

    start_method: Literal["forkserver", "spawn"] | None = None

    def prepare(self, preload: Sequence[str] = ()) -> None:
        """Start the process that workers fork from, and have it import what they need."""
        if self.start_method != "spawn":
            warm_up((*PRELOAD, *preload))

    def system(self, start: Callable[[], Behaviour], workers: int) -> System:
        """Open a system with as many workers as asked for."""
        return ActorSystem(start, workers=workers, method=self.start_method)

    def open(self, start: "Callable[[], Host]", costs: Costs, workers: int) -> "LocalGrid":
        """Open the grid with at most as many workers as there are clients."""
        from fedlocal.flower.grid import LocalGrid
        from fedlocal.flower.host import ClientActors

        return LocalGrid(self.system(partial(ClientActors, start), min(workers, len(costs))), costs)
