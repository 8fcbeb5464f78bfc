"""Its server."""

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    strategy = FedAvg(fraction_train=float(context.run_config["fraction"]))
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord([np.zeros((20, 3), np.float32)]),
        num_rounds=int(context.run_config["num-server-rounds"]),
    )
    context.state["final"] = result.arrays
