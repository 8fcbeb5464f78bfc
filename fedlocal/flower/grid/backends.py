"""Backends: where the clients of the local grid run, one Hydra preset each.

Flower is imported when a grid opens, not before: until then worker processes warm up beside the caller.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import (
    ActorSystem,
    Autoscaler,
    Behaviour,
    InlineSystem,
    Policy,
    System,
    usable_cores,
    warm_up,
)

if TYPE_CHECKING:
    from fedlocal.flower.grid.local_grid import LocalGrid, OpenGrid
    from fedlocal.flower.node.client_runner import ClientRunner

Costs = Sequence[float] | NDArray[np.float64]

PRELOAD = ("fedlocal.flower.client.clients", "fedlocal.flower.node.client_runner")
"""Modules that clients import where they run."""

MODELS = ("fedlocal.models.numpy.blas", "fedlocal.models.numpy.mlp", "fedlocal.models.frameworks.sklearn")


class Backend(ABC):
    """Runs the clients of a federation; local backends run them as actors of this process.

    Attributes
    ----------
    local : bool
        Whether clients' states come back with their replies: else a run cannot be resumed, nor its number of
        actors be chosen by a pilot.
    """

    local: ClassVar[bool] = True

    def configured(self, text: str) -> Self:  # noqa: ARG002 - local clients are given objects
        """Return the backend for a run with this configuration, YAML; asked only where it is not local."""
        return self

    def prepare(self, preload: Sequence[str] = ()) -> None:  # noqa: B027 - where there is something to start
        """Start in the background what takes time and depends on no data.

        Parameters
        ----------
        preload : sequence of str
            Modules that the run's actors will import: `PRELOAD` if they are clients.
        """

    @abstractmethod
    def system(self, start: Callable[[], Behaviour], workers: int, journal: Path | None = None) -> System:
        """Open a system of actors that run where clients do.

        Parameters
        ----------
        start : callable
            Builds their behaviour; it must pickle.
        workers : int
            How many messages are handled at the same time, where the backend can.
        journal : Path, optional
            A file to which the fate of each message is appended.
        """

    def clients(
        self, start: "Callable[[], ClientRunner]", workers: int, journal: Path | None = None
    ) -> System:
        """Open a system of actors that are clients: actor i owns partition i.

        Parameters
        ----------
        start : callable
            Makes the runner of the client app; it must pickle.
        workers, journal
            As for `system`.
        """
        from fedlocal.flower.node.client_runner import ClientActors

        return self.system(partial(ClientActors, start), workers, journal)

    def open(
        self, start: "Callable[[], ClientRunner]", costs: Costs, workers: int, journal: Path | None = None
    ) -> "OpenGrid":
        """Open the grid, with at most as many workers as there are clients.

        Parameters
        ----------
        costs : sequence of float
            Expected work of a message to each client.
        start, workers, journal
            As for `clients`.
        """
        from fedlocal.flower.grid.local_grid import LocalGrid

        return LocalGrid(self.clients(start, min(workers, len(costs)), journal), costs)


@dataclass(frozen=True)
class Inline(Backend):
    """Clients run in this process and thread, one after another."""

    def system(
        self,
        start: Callable[[], Behaviour],
        workers: int,  # noqa: ARG002 - this process makes one
        journal: Path | None = None,
    ) -> System:
        """Open a system without workers."""
        return InlineSystem(start, journal=journal)

    def clients(
        self, start: "Callable[[], ClientRunner]", workers: int, journal: Path | None = None
    ) -> System:
        """Open a system of clients that leave this process's generators alone."""
        from fedlocal.flower.node.client_runner import InlineClientActors

        return self.system(partial(InlineClientActors, start), workers, journal)


@dataclass(frozen=True)
class Actors(Backend):
    """Clients are actors that worker processes run, supervised: see `fedlocal.actors.Policy` for the limits.

    Parameters
    ----------
    start_method : {"forkserver", "spawn"}, optional
        How worker processes start; by default the first that the platform has.
    deadline : float, optional
        Seconds that a client has for one message; then its worker is replaced, and the message tried again.
    start_deadline : float, optional
        Seconds that a worker has to start.
    max_crashes, max_kills : int
        How often a message is tried that crashes its worker, or whose worker another process kills.
    memory_limit, memory_watermark : int, optional
        Mebibytes of address space that a worker may have; of memory in use at which it is replaced.
    """

    start_method: Literal["forkserver", "spawn"] | None = None
    deadline: float | None = 3600.0
    start_deadline: float | None = 300.0
    max_crashes: int = 2
    max_kills: int = 100
    memory_limit: int | None = None
    memory_watermark: int | None = None
    policy: Policy = field(init=False, repr=False)

    def __post_init__(self) -> None:
        policy = Policy(
            deadline=self.deadline,
            start_deadline=self.start_deadline,
            max_crashes=self.max_crashes,
            max_kills=self.max_kills,
            memory_limit=self.memory_limit,
            memory_watermark=self.memory_watermark,
        )
        object.__setattr__(self, "policy", policy)

    def prepare(self, preload: Sequence[str] = ()) -> None:
        """Start the process that workers fork from, and have it import what they need."""
        if self.start_method != "spawn":
            warm_up((*MODELS, *preload))

    def system(
        self, start: Callable[[], Behaviour], workers: int, journal: Path | None = None
    ) -> ActorSystem:
        """Open a system with as many workers as asked for."""
        return ActorSystem(
            start, workers=workers, method=self.start_method, policy=self.policy, journal=journal
        )


@dataclass(frozen=True)
class Elastic(Actors):
    """Clients are actors as with `Actors`, and the number of workers follows the load between rounds.

    The run's ``workers`` are the most there are; it begins with as many of them as there are cores. Results
    do not depend on it. `fedlocal.actors.engine.autoscaling` says how.

    Parameters
    ----------
    min_workers : int
        The fewest there are, as long as there are as many clients.
    give_way : bool
        Whether workers end while other processes want the cores: the run then takes longer.

    Raises
    ------
    ValueError
        If `min_workers` is below 1.
    """

    min_workers: int = 1
    give_way: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_workers < 1:
            raise ValueError(f"min_workers must be at least 1, got {self.min_workers}")

    def open(
        self, start: "Callable[[], ClientRunner]", costs: Costs, workers: int, journal: Path | None = None
    ) -> "LocalGrid":
        """Open the grid with at most as many workers as there are cores and clients."""
        from fedlocal.flower.grid.local_grid import LocalGrid

        most = min(workers, len(costs))
        least = min(self.min_workers, most)
        system = cast(ActorSystem, self.clients(start, max(least, min(most, usable_cores())), journal))
        return LocalGrid(system, costs, Autoscaler(system, least, most, self.give_way))
