"""Its client."""

from typing import Any

from flwr.app import Context
from flwr.client import NumPyClient
from flwr.clientapp import ClientApp

from older_app.task import accuracy, rows_of, trained


class Client(NumPyClient):
    """Trains on its rows."""

    def __init__(self, context: Context) -> None:
        node = context.node_config
        self.x, self.y = rows_of(int(node["partition-id"]), int(node["num-partitions"]))

    def fit(self, parameters: list[Any], config: dict[str, Any]) -> tuple[list[Any], int, dict[str, Any]]:  # noqa: ARG002
        """Train."""
        return [trained(parameters[0], self.x, self.y)], len(self.y), {}

    def evaluate(self, parameters: list[Any], config: dict[str, Any]) -> tuple[float, int, dict[str, Any]]:  # noqa: ARG002
        """Evaluate."""
        share = accuracy(parameters[0], self.x, self.y)
        return 1 - share, len(self.y), {"accuracy": share}


def client_fn(context: Context) -> Any:
    return Client(context).to_client()


app = ClientApp(client_fn=client_fn)
