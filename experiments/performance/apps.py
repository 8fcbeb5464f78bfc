"""The client apps of the study, through Flower's public API alone: fedlocal and Flower on Ray run the same.

The module is imported by whichever process runs clients, so it imports little.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from fedlocal.models import MLP, train

INPUTS, HIDDEN, OUTPUTS = 784, [512, 256], 10
SAMPLES, BATCH = 60_000, 64
RATE = 0.01  # of learning: the rows are noise, so all that matters is that weights stay finite


def echo() -> ClientApp:
    """Return a client that sends the arrays back as they came: a round of it is overhead alone."""
    app = ClientApp()

    @app.train()
    def answer(message: Message, context: Context) -> Message:  # noqa: ARG001 - Flower's signature
        metrics = MetricRecord({"num-examples": 1, "train-loss": 0.0})
        content = RecordDict({"arrays": message.content["arrays"], "metrics": metrics})
        return Message(content, reply_to=message)

    return app


def training(
    make: Callable[[], MLP] | None = None, count: int | None = None, batch: int = BATCH
) -> ClientApp:
    """Return a client that trains a process's model for one epoch over `count` rows, its share by default."""
    app, of_process = ClientApp(), make or model

    @app.train()
    def learn(message: Message, context: Context) -> Message:
        partition = int(context.node_config["partition-id"])
        x, y = rows(count or SAMPLES // int(context.node_config["num-partitions"]))
        sent, trained_model = cast(ArrayRecord, message.content["arrays"]), of_process()
        trained_model.load({name: array.numpy() for name, array in sent.items()})
        loss = train(trained_model, x, y, batch_size=batch, epochs=1, rng=np.random.default_rng(partition))
        trained = ArrayRecord({name: Array(array) for name, array in trained_model.arrays.items()})
        metrics = MetricRecord({"num-examples": len(x), "train-loss": loss})
        return Message(RecordDict({"arrays": trained, "metrics": metrics}), reply_to=message)

    return app


APPS: dict[str, Callable[[], ClientApp]] = {"echo": echo, "training": training}


@cache
def model() -> MLP:
    """Return this process's model, 784-512-256-10; who trains it loads it first."""
    rng = np.random.default_rng(0)
    return MLP(HIDDEN, inputs=INPUTS, outputs=OUTPUTS, classes=True, rng=rng, learning_rate=RATE)


@cache
def rows(count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return random rows, float32[count, 784], and labels, int64[count].

    All partitions of one size have the same: a step takes as long on noise as on digits.
    """
    rng = np.random.default_rng(count)
    return rng.random((count, INPUTS), np.float32), rng.integers(OUTPUTS, size=count)


def arrays_of(parameters: int) -> dict[str, NDArray[Any]]:
    """Return random float32 arrays as of a model with so many parameters, at least 64, in three layers."""
    first = (parameters - 24) * 3 // 4
    second = (parameters - 24 - first) * 7 // 8
    sizes = (first, 8, second, 8, parameters - 24 - first - second, 8)
    rng = np.random.default_rng(parameters)
    names = [f"layer{layer}.{part}" for layer in range(3) for part in ("weight", "bias")]
    return {name: rng.random(size, np.float32) for name, size in zip(names, sizes, strict=True)}
