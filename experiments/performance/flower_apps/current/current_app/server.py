"""Its server."""

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    rounds = int(context.run_config.get("num-server-rounds", 5))
    FedAvg().start(grid, ArrayRecord([np.zeros((65, 10), np.float32)]), num_rounds=rounds)
