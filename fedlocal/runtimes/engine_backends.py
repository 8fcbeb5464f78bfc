"""Backends whose clients one of Flower's own engines runs."""

from collections.abc import Callable
from copy import copy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from flwr.serverapp import Grid

from fedlocal.actors import Behaviour, InlineSystem, System
from fedlocal.config.schema import ConfigError
from fedlocal.flower.grid.backends import Backend, Costs
from fedlocal.runtimes.remote_grid import RemoteGrid

if TYPE_CHECKING:
    from fedlocal.flower.node.client_runner import ClientRunner


class EngineBackend(Backend):
    """A backend whose nodes are an engine's, with states and a configuration of their own."""

    local = False

    def system(
        self,
        start: Callable[[], Behaviour],
        workers: int,  # noqa: ARG002
        journal: Path | None = None,
    ) -> System:
        """Open a system in this process: an engine runs clients alone."""
        return InlineSystem(start, journal=journal)

    def clients(
        self,
        start: "Callable[[], ClientRunner]",  # noqa: ARG002
        workers: int,  # noqa: ARG002
        journal: Path | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Refuse: the engine alone runs its clients."""
        raise ConfigError("one of Flower's engines runs its clients itself; use backend=actors or inline")


class GridBackend(EngineBackend):
    """Clients are the nodes of a grid that is open already: that of a server app on a SuperLink.

    Parameters
    ----------
    grid : Grid
        The engine's grid.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid

    def open(
        self,
        start: "Callable[[], ClientRunner]",  # noqa: ARG002 - each node makes its own
        costs: Costs,
        workers: int,  # noqa: ARG002
        journal: Path | None = None,  # noqa: ARG002
    ) -> RemoteGrid:
        """Open the grid, when each partition has its node."""
        return RemoteGrid(self._grid, len(costs))


class Ray(EngineBackend):
    """Clients run on Flower's simulation, on Ray; needs ``pip install 'fedlocal[ray]'``.

    Its bits may differ from those of local backends, since Ray's processes load libraries and have threads of
    their own.

    Parameters
    ----------
    num_cpus : float
        Cores of a client; as many clients run at the same time as there are cores for. Flower's default is 2.
    num_gpus : float
        GPUs of a client.

    Raises
    ------
    ConfigError
        If a number is out of range, or Ray is not installed.
    """

    def __init__(self, num_cpus: float = 1.0, num_gpus: float = 0.0) -> None:
        if num_cpus <= 0 or num_gpus < 0:
            raise ConfigError(
                f"backend.num_cpus={num_cpus} backend.num_gpus={num_gpus}: a client takes more than no core"
            )
        if find_spec("ray") is None:
            raise ConfigError("backend=ray needs Ray: pip install 'fedlocal[ray]'")
        self._resources = {"num_cpus": num_cpus, "num_gpus": num_gpus}
        self._text = ""

    def configured(self, text: str) -> Self:
        """Return the backend for a run with this configuration, which its clients compose from this text."""
        other = copy(self)
        vars(other)["_text"] = text
        return other

    def open(
        self,
        start: "Callable[[], ClientRunner]",  # noqa: ARG002 - each of Ray's processes makes its own
        costs: Costs,
        workers: int,  # noqa: ARG002
        journal: Path | None = None,  # noqa: ARG002
    ) -> RemoteGrid:
        """Start the simulation, and open its grid."""
        from fedlocal.runtimes.ray import SimulationGrid

        return SimulationGrid(self._text, len(costs), self._resources)
