"""A client app that sends a record of its own, and a strategy that makes use of it."""

from collections.abc import Iterable

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg

import fedlocal

app, partial_app = ClientApp(), ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Send back the arrays as they came, and what this client's step is to be."""
    rows = fedlocal.partition(context).training
    step = ArrayRecord({"step": ArrayRecord([np.array([len(rows)], np.float32)])["0"]})
    records = {"arrays": message.content["arrays"], "metrics": MetricRecord({"num-examples": len(rows)})}
    return Message(RecordDict({**records, "step": step}), reply_to=message)


@partial_app.train()
def train_a_part(message: Message, context: Context) -> Message:
    """Send back less than the first array, from one of the clients."""
    arrays = message.content.array_records["arrays"]
    values = arrays.to_numpy_ndarrays()
    if context.node_config["partition-id"] == 1:
        values[0] = values[0][:1]
    record = ArrayRecord(dict(zip(arrays, ArrayRecord(values).values(), strict=True)))
    metrics = MetricRecord({"num-examples": 1})
    return Message(RecordDict({"arrays": record, "metrics": metrics}), reply_to=message)


class Stepping(FedAvg):
    """Adds the mean of the clients' steps to the first array."""

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Take the steps out of the replies, and average the rest."""
        valid = [reply for reply in replies if reply.has_content()]
        steps = [reply.content.array_records["step"].to_numpy_ndarrays()[0][0] for reply in valid]
        for reply in valid:
            del reply.content["step"]
        arrays, metrics = super().aggregate_train(server_round, valid)
        assert arrays is not None
        first, *others = arrays.to_numpy_ndarrays()
        moved = ArrayRecord([first + np.float32(np.mean(steps)), *others])
        return ArrayRecord(dict(zip(arrays, moved.values(), strict=True))), metrics
