"""Logistic regression on MNIST-shaped rows, 60 of each client, as a client app for Flower's simulation."""

from functools import cache

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from experiments.performance.apps import INPUTS, OUTPUTS, rows
from fedlocal.models import MLP, train

ROWS, BATCH, RATE, FRACTION = 60, 10, 0.03, 0.01


@cache
def model() -> MLP:
    """Return this process's model, 784-10; who trains it loads it first."""
    rng = np.random.default_rng(0)
    return MLP([], inputs=INPUTS, outputs=OUTPUTS, classes=True, rng=rng, learning_rate=RATE)


def app() -> ClientApp:
    """Return a client that trains for one epoch over its rows."""
    client = ClientApp()

    @client.train()
    def learn(message: Message, context: Context) -> Message:
        x, y = rows(ROWS)
        trained_model, partition = model(), int(context.node_config["partition-id"])
        trained_model.load(
            {name: array.numpy() for name, array in message.content.array_records["arrays"].items()}
        )
        loss = train(trained_model, x, y, batch_size=BATCH, epochs=1, rng=np.random.default_rng(partition))
        trained = ArrayRecord({name: Array(array) for name, array in trained_model.arrays.items()})
        metrics = MetricRecord({"num-examples": len(x), "train-loss": loss})
        return Message(RecordDict({"arrays": trained, "metrics": metrics}), reply_to=message)

    return client
