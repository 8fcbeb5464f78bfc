"""A client app that tells what a grid brought it, and sends back what it was asked for."""

import json
import time
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from fedlocal.flower.node.client_runner import ClientRunner

NODES = 3
ARRAYS: dict[str, NDArray[Any]] = {
    "float16": np.ones(3, np.float16),
    "bool": np.array([True, False]),
    "uint64": np.array([2**64 - 1], np.uint64),
    "complex128": np.array([1 + 2j]),
    "empty": np.zeros((0, 4)),
    "scalar": np.array(3.5),
    "big-endian": np.arange(3, dtype=">f4"),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "three axes, columns first": np.asfortranarray(np.arange(24, dtype="<i4").reshape(2, 3, 4)),
    "neither order": np.arange(24.0).reshape(4, 6)[::2, ::3],
    "text": np.array(["a", "bcd"]),
    "bytes": np.array([b"x", b"yz"]),
    "dates": np.array(["2020-01-01"], "datetime64[D]"),
}
RAW = Array(dtype="weird", shape=(3,), stype="my.own", data=b"abc\0def")

app = ClientApp()


@app.query("echo")
def echo(message: Message, context: Context) -> Message:
    return Message(message.content, reply_to=message)


@app.query("never")
def never(message: Message, context: Context) -> Message:
    while True:
        time.sleep(3600)


@app.query("raises")
def raises(message: Message, context: Context) -> Message:
    raise ValueError("as it was asked to")


@app.query("count")
def count(message: Message, context: Context) -> Message:
    """Count the messages of this kind in the node's state."""
    record = context.state.setdefault("count", MetricRecord({"n": 0}))
    assert isinstance(record, MetricRecord)
    record["n"] = int(str(record["n"])) + 1
    return Message(RecordDict({"m": record.copy()}), reply_to=message)


@app.query("array")
def array(message: Message, context: Context) -> Message:
    """Send an array, and tell of the one that was sent."""
    name = str(message.content.config_records["c"]["name"])
    (array,) = message.content.array_records["a"].values()
    answer = ConfigRecord({"seen": looks(array.numpy())})
    return Message(RecordDict({"c": answer, "a": ArrayRecord({"x": Array(ARRAYS[name])})}), reply_to=message)


@app.query("raw")
def raw(message: Message, context: Context) -> Message:
    return Message(RecordDict({"a": ArrayRecord({"x": RAW})}), reply_to=message)


@app.query("change")
def change(message: Message, context: Context) -> Message:
    """Change what was sent, then look at it again."""
    record = message.content.array_records["a"]
    before = record.to_numpy_ndarrays()[0]
    total = float(before.sum())
    before += 1000
    again = float(record["w"].numpy().sum())
    return Message(RecordDict({"m": MetricRecord({"first": total, "again": again})}), reply_to=message)


@app.query("metadata")
def metadata(message: Message, context: Context) -> Message:
    seen = message.metadata
    answer: dict[str, Any] = {
        "type": seen.message_type,
        "group": seen.group_id,
        "source": seen.src_node_id,
        "time to live": float(seen.ttl),
        "has an identifier": bool(seen.message_id),
        "replies to": seen.reply_to_message_id,
        "is of the run": seen.run_id == context.run_id,
        "is to this node": seen.dst_node_id == context.node_id,
        "nodes": int(context.node_config["num-partitions"]),
        "configuration": json.dumps(dict(context.run_config)),
    }
    return Message(RecordDict({"c": ConfigRecord(answer)}), reply_to=message)


@app.query("who")
def who(message: Message, context: Context) -> Message:
    answer = MetricRecord({"partition": int(context.node_config["partition-id"])})
    return Message(RecordDict({"m": answer}), reply_to=message)


def looks(values: NDArray[Any]) -> str:
    """Describe an array, with the order of its memory."""
    return f"{values.dtype} {values.shape} {values.flags.fnc} {values.tolist()}"


def start() -> ClientRunner:
    return ClientRunner(app, nodes=NODES, seed=0, run_id=1)
