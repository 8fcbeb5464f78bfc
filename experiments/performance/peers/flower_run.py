"""A whole run of Flower's simulation on Ray, with its FedAvg and the client apps that fedlocal runs too."""

import os

os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}  # before it is imported

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flwr.app import Array, ArrayRecord, Context, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from experiments.performance.apps import echo, model, training
from experiments.performance.peers import logistic
from experiments.performance.peers.reports import Marks, Request, asked

FAIR: Any = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}, "init_args": {"num_cpus": 2}}
"""Two clients at a time; by default each takes 2 CPUs, so that two cores run one."""


@dataclass(frozen=True)
class Workload:
    """What the clients do, from which arrays on, and which part of them in a round."""

    app: Callable[[], ClientApp]
    initial: Callable[[], Any]
    fraction: float = 1.0


WORKLOADS = {
    "echo": Workload(echo, model),
    "training": Workload(training, model),
    "logistic": Workload(logistic.app, logistic.model, logistic.FRACTION),
}


def server(workload: Workload, request: Request, marks: Marks) -> ServerApp:
    """Return the server: a mark after each round, and no reply may be missing."""
    app, expected = ServerApp(), round(workload.fraction * request.clients)

    def count(replies: list[RecordDict], _: str) -> MetricRecord:
        if len(replies) != expected:
            raise RuntimeError(f"{len(replies)} clients replied, not {expected}")
        return MetricRecord({"replies": len(replies)})

    @app.main()
    def main(grid: Grid, context: Context) -> None:  # noqa: ARG001 - Flower's signature
        strategy = FedAvg(
            fraction_train=workload.fraction,
            fraction_evaluate=0.0,
            min_available_nodes=request.clients,
            train_metrics_aggr_fn=count,
        )
        arrays = ArrayRecord({name: Array(array) for name, array in workload.initial().arrays.items()})
        strategy.start(grid, arrays, num_rounds=request.rounds, evaluate_fn=lambda *_: marks.mark())
        marks.write(request)

    return app


def main() -> None:
    request = asked()
    workload = WORKLOADS[request.workload]
    run_simulation(
        server(workload, request, Marks()),
        workload.app(),
        num_supernodes=request.clients,
        backend_config=None if request.default_resources else FAIR,
    )


if __name__ == "__main__":
    main()
