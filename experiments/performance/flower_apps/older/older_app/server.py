"""Its server."""

import numpy as np
from flwr.app import Context
from flwr.common import ndarrays_to_parameters
from flwr.server import ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.serverapp import ServerApp


def server_fn(context: Context) -> ServerAppComponents:
    rounds = int(context.run_config.get("num-server-rounds", 5))
    strategy = FedAvg(initial_parameters=ndarrays_to_parameters([np.zeros((65, 10), np.float32)]))
    return ServerAppComponents(config=ServerConfig(num_rounds=rounds), strategy=strategy)


app = ServerApp(server_fn=server_fn)
