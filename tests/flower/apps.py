"""Client apps for the tests, made in workers by the functions that start hosts."""

import random
import time
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.node.client_runner import ClientRunner

app = ClientApp()


def moved_towards(partition: int, array: Any) -> Any:
    """Move half the way; counters count 190 batches, and truths turn over."""
    if array.dtype == bool:
        return ~array
    return array + 190 if array.dtype.kind == "i" else (array + np.float32(partition)) / 2


@app.train()
def step_towards_partition(message: Message, context: Context) -> Message:
    """Move every array half the way to the partition's number; a toy with the shape of training."""
    partition = int(context.node_config["partition-id"])
    arrays = ndarrays(message.content.array_records["arrays"])
    moved = {name: moved_towards(partition, array) for name, array in arrays.items()}
    losses = {"train-loss": float(partition), "train-loss-before": partition + 2.0}
    metrics = MetricRecord({"num-examples": partition + 1, **losses})
    return Message(RecordDict({"arrays": array_record(moved), "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    partition = int(context.node_config["partition-id"])
    (array, *_) = ndarrays(message.content.array_records["arrays"]).values()
    metrics = MetricRecord({"num-examples": partition + 1, "loss": float(np.abs(array - partition).mean())})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)


@app.train("count")
def count(message: Message, context: Context) -> Message:
    """Count this node's messages in its state."""
    record = context.state.get("count")
    before = record["n"] if isinstance(record, ConfigRecord) else 0
    assert isinstance(before, int)
    context.state["count"] = ConfigRecord({"n": before + 1})
    context.state["weights"] = ArrayRecord([np.full(3, before, dtype=np.float32)])
    return Message(RecordDict({"metrics": MetricRecord({"n": before + 1})}), reply_to=message)


@app.train("fail_on_odd")
def fail_on_odd(message: Message, context: Context) -> Message:
    if int(context.node_config["partition-id"]) % 2:
        raise RuntimeError("odd partitions fail")
    return count(message, context)


@app.evaluate("fail_on_odd")
def fail_to_evaluate_on_odd(message: Message, context: Context) -> Message:
    if int(context.node_config["partition-id"]) % 2:
        raise RuntimeError("odd partitions fail")
    return evaluate(message, context)


@app.train("write")
def write(message: Message, context: Context) -> Message:
    """Change what was sent, as far as it lets itself be changed."""
    message.content.array_records["arrays"].clear()
    return Message(RecordDict({"metrics": MetricRecord({"n": 1})}), reply_to=message)


@app.train("sleep")
def sleep(message: Message, context: Context) -> Message:
    time.sleep(3600)
    return message


@app.train("wrong")
def wrong(message: Message, context: Context) -> Message:
    return None  # type: ignore[return-value]


@app.query("draw")
def draw(message: Message, context: Context) -> Message:
    """Draw from the generators that everybody shares."""
    drawn = MetricRecord({"python": random.random(), "numpy": float(np.random.random())})  # noqa: NPY002
    return Message(RecordDict({"metrics": drawn}), reply_to=message)


def start() -> ClientRunner:
    return ClientRunner(app, nodes=5, seed=7, run_id=1)
