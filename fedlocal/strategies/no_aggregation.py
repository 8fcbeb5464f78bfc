"""A strategy without aggregation: every client goes on with its own model."""

from collections.abc import Iterable

from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.server.traits import Traits


class NoAggregation(Strategy):
    """Sends each client the model that it last sent, the initial one at first.

    Attributes
    ----------
    models : dict of int to ArrayRecord
        The clients' models, by node.
    """

    traits = Traits({"models": "records"})

    def __init__(self) -> None:
        self.models: dict[int, ArrayRecord] = {}
        self._initial = ArrayRecord()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask every client to train its own model."""
        self._initial = arrays
        config["server-round"] = server_round
        contents = (
            (node, RecordDict({"arrays": self.models.get(node, arrays), "config": config}))
            for node in grid.get_node_ids()
        )
        return [Message(content, node, MessageType.TRAIN) for node, content in contents]

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Keep each client's model; the global one stays as it was at first."""
        del server_round
        for reply in replies:
            if reply.has_content():
                record = next(iter(reply.content.array_records.values()))
                copies = {
                    name: array.copy() for name, array in ndarrays(record).items()
                }  # frees the reply's slot
                self.models[reply.metadata.src_node_id] = array_record(copies)
        return self._initial, None

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask nobody: models are evaluated centrally."""
        del server_round, arrays, config, grid
        return []

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Return nothing."""
        del server_round, replies
        return None

    def summary(self) -> None:
        """Log nothing: there are no settings."""
