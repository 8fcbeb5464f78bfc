"""Its client."""

import logging
import random
import sys

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

logging.basicConfig(stream=sys.stdout, format="%(message)s")
logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)
app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    partition = int(context.node_config["partition-id"])
    if partition == context.run_config["fails"]:
        raise RuntimeError("this client fails")
    (array,) = message.content.array_records["arrays"].to_numpy_ndarrays()
    array += np.float32(np.random.rand() + random.random())  # noqa: NPY002 - as apps do
    print("trained", context.run_config["model.name"])
    logger.info("logged by %d", partition)
    return reply(message, context, ArrayRecord([array]))


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    return reply(message, context)


def reply(message: Message, context: Context, arrays: ArrayRecord | None = None) -> Message:
    """Reply with metrics, and count the messages of this client in its state."""
    count = context.state.setdefault("count", ConfigRecord({"n": 0}))
    assert isinstance(count, ConfigRecord)
    count["n"] = int(str(count["n"])) + 1
    metrics = MetricRecord({"num-examples": 10, "loss": 1 / int(str(count["n"])), "accuracy": 0.5})
    records: dict[str, ArrayRecord | MetricRecord] = {"metrics": metrics}
    return Message(RecordDict({**records, **({"arrays": arrays} if arrays else {})}), reply_to=message)
