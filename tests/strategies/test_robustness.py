"""One client of five sends good-looking nonsense: what the strategies make of it."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import strategy as flower

from fedlocal.actors import InlineSystem
from fedlocal.flower.admission.strict import Strict
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.node.client_runner import ClientRunner, InlineClientActors
from fedlocal.flower.server.round_loop import RoundLoop
from fedlocal.strategies.fedavg import FedAvg

TARGET = np.linspace(1, 2, 50, dtype=np.float32)


def start(factor: float) -> ClientRunner:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        """Go half the way to the target, give or take; client 3 scales where it got to."""
        partition = int(context.node_config["partition-id"])
        noise = np.random.default_rng(partition).normal(0, 0.01, TARGET.shape).astype(np.float32)
        (weights,) = ndarrays(message.content.array_records["arrays"]).values()
        moved = (weights + TARGET) / 2 + noise
        arrays = array_record({"w": moved * np.float32(factor) if partition == 3 else moved})
        metrics = MetricRecord({"num-examples": 1, "train-loss": 0.5})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    return ClientRunner(app, 5, seed=1, run_id=1)


def distance(strategy: flower.Strategy, factor: float) -> float:
    """Return how far from the target, in the worst weight, eight rounds end."""
    loop = RoundLoop(strategy, 8, 1, lambda *_: {}, Strict([1] * 5))
    with (
        quiet(),
        LocalGrid(InlineSystem(partial(InlineClientActors, partial(start, factor))), [1.0] * 5) as grid,
    ):
        *_, last = loop.run(grid, {"w": np.zeros_like(TARGET)})
    assert not last.errors
    return float(np.abs(last.arrays["w"] - TARGET).max())


@pytest.mark.parametrize("factor", [1000.0, -1.0])
@pytest.mark.parametrize(
    "make",
    [
        flower.FedMedian,
        partial(flower.FedTrimmedAvg, beta=0.2),
        partial(flower.Krum, num_malicious_nodes=1),
        partial(flower.MultiKrum, num_malicious_nodes=1, num_nodes_to_select=3),
    ],
)
def test_robust_strategies_withstand_a_scaled_or_flipped_update_and_averages_do_not(
    make: Any, factor: float
) -> None:
    assert distance(make(fraction_evaluate=0.0), factor) < 0.1
    for average in (FedAvg, flower.FedAvg):
        assert distance(average(fraction_evaluate=0.0), factor) > 0.3
