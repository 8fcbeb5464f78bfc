"""Scripts that called ``start_simulation``: clients by number or by context, `NumPyClient` or `Client`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flwr.client import ClientApp, NumPyClient
from flwr.common import Context, ndarrays_to_parameters
from flwr.server import ServerApp, ServerConfig
from flwr.server.strategy import FedAvg

import fedlocal
from fedlocal.results import weights_hash


class Adding(NumPyClient):
    """Adds its number to the model."""

    def __init__(self, number: int) -> None:
        self.number = number

    def fit(self, parameters: list[Any], config: dict[str, Any]) -> tuple[list[Any], int, dict[str, Any]]:
        return [array + np.float32(self.number) for array in parameters], 1, {}

    def evaluate(self, parameters: list[Any], config: dict[str, Any]) -> tuple[float, int, dict[str, Any]]:
        return float(parameters[0].mean()), 1, {"accuracy": self.number / 10}


def by_number(cid: str) -> Any:
    return Adding(int(cid)).to_client()


def by_context(context: Context) -> Any:
    return Adding(int(context.node_config["partition-id"])).to_client()


def not_converted(context: Context) -> Any:
    return Adding(int(context.node_config["partition-id"]))


@pytest.mark.parametrize("client_fn", [by_number, by_context, not_converted])
def test_a_script_of_start_simulation_runs_with_one_line_changed(client_fn: Callable[..., Any]) -> None:
    strategy = FedAvg(
        min_available_clients=3,
        initial_parameters=ndarrays_to_parameters([np.zeros(4, np.float32)]),
        evaluate_metrics_aggregation_fn=lambda reports: {
            "accuracy": sum(float(metrics["accuracy"]) for _, metrics in reports) / len(reports)
        },
    )
    config = ServerConfig(num_rounds=2)
    result = fedlocal.simulate(
        ServerApp(config=config, strategy=strategy),
        ClientApp(client_fn=client_fn),
        3,
        backend="inline",
        display="off",
    )
    assert not result.errors
    assert result.arrays_hash == weights_hash({"0": np.full(4, 2, np.float32)})  # 0, 1, 2 are 1 on average
    assert result.flower_history is not None
    assert result.flower_history.losses_distributed == [(1, 1.0), (2, 2.0)]
    accuracies: list[Any] = result.flower_history.metrics_distributed["accuracy"]
    assert accuracies == [(1, pytest.approx(0.1)), (2, pytest.approx(0.1))]
