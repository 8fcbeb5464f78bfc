"""Flower's simulation on Ray as a grid: its server app hands out the grid, and waits until it is closed."""

import threading
from collections.abc import Mapping
from queue import Queue

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation

from fedlocal.runtimes.client import client_app
from fedlocal.runtimes.remote_grid import EngineError, RemoteGrid


class SimulationGrid(RemoteGrid):
    """The grid of a simulation that runs in a thread of its own.

    Parameters
    ----------
    text : str
        The configuration, as YAML.
    nodes : int
        How many nodes, and so partitions, there are.
    resources : mapping
        ``num_cpus`` and ``num_gpus`` of a client.

    Raises
    ------
    EngineError
        If the simulation does not start; the reason is its cause.
    """

    def __init__(self, text: str, nodes: int, resources: Mapping[str, float]) -> None:
        self._handover: Queue[Grid | BaseException] = Queue()
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._simulate, args=(text, nodes, dict(resources)), daemon=True
        )
        self._thread.start()
        grid = self._handover.get()
        if isinstance(grid, BaseException):
            raise EngineError(f"Flower's simulation did not start: {grid}") from grid
        try:
            super().__init__(grid, nodes)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the simulation."""
        self._closed.set()
        self._thread.join()

    def _simulate(self, text: str, nodes: int, resources: Mapping[str, float]) -> None:
        server = ServerApp()

        @server.main()
        def hand_out(grid: Grid, context: Context) -> None:  # noqa: ARG001 - Flower's signature
            self._handover.put(grid)
            self._closed.wait()

        try:
            run_simulation(
                server,
                client_app(_Text(text)),
                nodes,
                backend_config={"client_resources": dict(resources)},
            )
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            self._handover.put(error)


class _Text:
    """Returns a configuration whatever the context; it pickles."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, context: Context) -> str:  # noqa: ARG002
        return self._text
