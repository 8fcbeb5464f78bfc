"""One run of Flower's simulation on Ray, with the same client app and data; it runs in Ray's environment.

Everything is Flower's default but that two clients run at a time, as fedlocal's two workers do (by default
each takes two CPUs), that clients do not evaluate, and that Ray's dashboard is left out.
"""

import os

os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}  # before it is imported

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from experiments.faults.ray_client import JOURNAL, app, new_model
from fedlocal.results import weights_hash

BACKEND: Any = {
    "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
    "init_args": {"num_cpus": 2, "include_dashboard": False},
}


class Counting(FedAvg):
    """Flower's FedAvg, which counts the clients that replied, and those that did not."""

    replied = 0
    failed = 0

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Count, and aggregate as ever."""
        replies = list(replies)
        self.failed += sum(reply.has_error() for reply in replies)
        self.replied += sum(not reply.has_error() for reply in replies)
        return super().aggregate_train(server_round, replies)


def server(asked: dict[str, Any], folder: Path) -> ServerApp:
    """Return the server app; it leaves ``report.json`` and ``model.npz`` in the folder."""
    serving = ServerApp()

    @serving.main()
    def main(grid: Grid, context: Context) -> None:  # noqa: ARG001 - Flower's signature
        clients = asked["clients"]
        strategy = Counting(fraction_evaluate=0.0, min_available_nodes=clients)
        arrays = ArrayRecord({name: Array(array) for name, array in new_model(asked)().arrays.items()})
        result = strategy.start(grid, arrays, num_rounds=asked["rounds"])
        with (folder / JOURNAL).open("a") as stream:
            stream.write('{"event": "closed"}\n')
        final = {name: array.numpy() for name, array in result.arrays.items()}
        np.savez(folder / "model.npz", **final)  # type: ignore[arg-type]
        counts = {"posted": clients * asked["rounds"], "replied": strategy.replied, "failed": strategy.failed}
        (folder / "report.json").write_text(json.dumps({"hash": weights_hash(final), **counts}))

    return serving


def main() -> None:
    folder, request = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir()
    asked, clients = json.loads(request.read_text()), app(request, folder)
    run_simulation(server(asked, folder), clients, num_supernodes=asked["clients"], backend_config=BACKEND)


if __name__ == "__main__":
    main()
