"""Clients that misbehave, each in its own way: real client apps, told by the configuration what to do."""

import json
import os
import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any, cast

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from fedlocal.actors import Wire
from fedlocal.flower.compat.private import NUMPY
from fedlocal.flower.messages.arrays import LocalArray, array_record, ndarrays
from fedlocal.flower.messages.codec import MAX_STATE
from fedlocal.flower.node.client_runner import (
    MAX_REPLY,
    ClientActors,
    ClientRunner,
    InlineClientActors,
    node_of,
)

CLIENTS, BAD, ROWS = 5, 2, 10
REMEMBER, IMPERSONATE = "have a state", "claim to be another"

Arrays = dict[str, NDArray[Any]]
Metrics = dict[str, Any]
Mischief = Callable[[Arrays, Metrics], RecordDict]


def reply_of(arrays: Arrays, metrics: Metrics) -> RecordDict:
    return RecordDict({"arrays": array_record(arrays), "metrics": MetricRecord(metrics)})


def array(name: str, change: Callable[[NDArray[Any]], Any]) -> Mischief:
    """Change one array."""
    return lambda arrays, metrics: reply_of({**arrays, name: np.asarray(change(arrays[name]))}, metrics)


def with_value(value: float) -> Mischief:
    """Change one weight."""

    def changed(weights: NDArray[Any]) -> NDArray[Any]:
        weights = weights.copy()
        weights[1, 1] = value
        return weights

    return array("w", changed)


def metric(**values: Any) -> Mischief:
    """Change metrics, by names with underscores; None takes one away."""
    named = {name.replace("_", "-"): value for name, value in values.items()}

    def changed(arrays: Arrays, metrics: Metrics) -> RecordDict:
        together = {**metrics, **named}
        return reply_of(arrays, {name: value for name, value in together.items() if value is not None})

    return changed


def planted(name: str, value: Any) -> Mischief:
    """Change a metric behind the back of Flower's checks."""

    def changed(arrays: Arrays, metrics: Metrics) -> RecordDict:
        content = reply_of(arrays, metrics)
        cast(Any, content["metrics"]).__dict__["_data"][name] = value
        return content

    return changed


def npy(values: NDArray[Any]) -> bytes:
    file = BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def flowers(stype: str, data: Callable[[NDArray[Any]], bytes]) -> Mischief:
    """Send an array of Flower's own with these bytes."""

    def changed(arrays: Arrays, metrics: Metrics) -> RecordDict:
        content, weights = reply_of(arrays, metrics), arrays["w"]
        array = Array(str(weights.dtype), weights.shape, stype, data(weights))
        cast(ArrayRecord, content["arrays"])["w"] = array
        return content

    return changed


def beside(**records: Any) -> Mischief:
    """Send other records as well; None takes one away."""

    def changed(arrays: Arrays, metrics: Metrics) -> RecordDict:
        together = {**reply_of(arrays, metrics), **records}
        return RecordDict({name: record for name, record in together.items() if record is not None})

    return changed


class Bomb:
    """Whoever unpickles it is no more."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)


def nothing(arrays: Arrays, metrics: Metrics) -> RecordDict:
    return RecordDict()


def no_layers(arrays: Arrays, metrics: Metrics) -> RecordDict:
    return reply_of({}, metrics)


def swapped(arrays: Arrays, metrics: Metrics) -> RecordDict:
    return RecordDict({"arrays": MetricRecord(metrics), "metrics": array_record(arrays)})


def renamed(arrays: Arrays, metrics: Metrics) -> RecordDict:
    return RecordDict({"m": MetricRecord(metrics)})


def huge(arrays: Arrays, metrics: Metrics) -> RecordDict:
    return reply_of({**arrays, "w": np.zeros(MAX_REPLY + 1, np.uint8)}, metrics)  # pages that nobody touches


CLAIMS = b"\x93NUMPY\x01\x00\x47\x00{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000,), }\n"

RECORDS = "expected an array record 'arrays' and a metric record 'metrics', got "
WEIGHT = "num-examples must be above 0 and at most 10, the size of the partition; got "
LOSS = "train-loss must be finite and at least 0, got "
NAMES = "expected arrays ['w', 'b'], got "

# What is in the content of a reply, and what is said of it.
CONTENTS: dict[str, tuple[Mischief, str]] = {
    "nan": (with_value(np.nan), "w is not finite"),
    "inf": (with_value(np.inf), "w is not finite"),
    "minus inf": (with_value(-np.inf), "w is not finite"),
    "no dimension": (array("w", lambda _: np.float32(1)), "w must be float32(3, 2), got float32()"),
    "broadcasts": (array("w", lambda w: w[:1]), "w must be float32(3, 2), got float32(1, 2)"),
    "transposed": (array("w", lambda w: w.T), "got float32(2, 3)"),
    "extra layer": (lambda a, m: reply_of({**a, "c": a["b"]}, m), NAMES + "['w', 'b', 'c']"),
    "missing layer": (lambda a, m: reply_of({"w": a["w"]}, m), NAMES + "['w']"),
    "renamed layer": (lambda a, m: reply_of({"w": a["w"], "bias": a["b"]}, m), NAMES + "['w', 'bias']"),
    "other order": (lambda a, m: reply_of({"b": a["b"], "w": a["w"]}, m), NAMES + "['b', 'w']"),
    "no layers": (no_layers, NAMES + "[]"),
    "float64": (array("w", lambda w: w.astype(np.float64)), "got float64"),
    "float16": (array("w", lambda w: w.astype(np.float16)), "got float16"),
    "int": (array("w", lambda w: w.astype(np.int32)), "got int32"),
    "bool": (array("w", lambda w: w > 0), "got bool"),
    "complex": (array("w", lambda w: w + 1j), "got complex64"),
    "text": (array("w", lambda w: w.astype(str)), "got <U"),
    "big-endian": (array("w", lambda w: w.astype(">f4")), "got >f4"),
    "a pickle": (flowers(NUMPY, lambda _: npy(np.array([Bomb()]))), "arrays of dtype object do not travel"),
    "claims much": (flowers(NUMPY, lambda _: CLAIMS), "of 0 bytes claims dtype float32 and shape (10000000"),
    "truncated": (flowers(NUMPY, lambda w: npy(w)[:-1]), "of 23 bytes claims dtype float32 and shape (3, 2)"),
    "an archive": (flowers(NUMPY, lambda _: b"PK\x03\x04"), "the bytes are no .npy file"),
    "other kind": (flowers("xgboost", lambda _: b"{}"), "w must be an array of NumPy's, got one of kind"),
    "weight 0": (metric(num_examples=0), WEIGHT + "0"),
    "weight -5": (metric(num_examples=-5), WEIGHT + "-5"),
    "weight nan": (metric(num_examples=float("nan")), WEIGHT + "nan"),
    "weight inf": (metric(num_examples=float("inf")), WEIGHT + "inf"),
    "weight 11": (metric(num_examples=11), WEIGHT + "11"),
    "weight 1e18": (metric(num_examples=1e18), WEIGHT + "1e+18"),
    "weight of 40 digits": (metric(num_examples=10**39), "an integer of 40 digits has more than 64 bits"),
    "weight of 5000 digits": (metric(num_examples=10**4999), "integer string conversion"),
    "weight bool": (metric(num_examples=True), "TypeError: Not all values are of valid type"),
    "weight text": (metric(num_examples="10"), "TypeError: Not all values are of valid type"),
    "weight list": (metric(num_examples=[10]), WEIGHT + "[10]"),
    "weight missing": (metric(num_examples=None), WEIGHT + "None"),
    "planted bool": (planted("num-examples", True), "Not all values are of valid type"),
    "planted text": (planted("num-examples", "10"), "Not all values are of valid type"),
    "planted dict": (planted("x", {"a": 1}), "Not all values are of valid type"),
    "planted set": (planted("x", {1}), "TypeError"),
    "loss missing": (metric(train_loss=None), LOSS + "None"),
    "loss nan": (metric(train_loss=float("nan")), LOSS + "nan; a smaller learning rate may help"),
    "loss inf": (metric(train_loss=float("inf")), LOSS + "inf"),
    "loss -1": (metric(train_loss=-1), LOSS + "-1"),
    "loss list": (metric(train_loss=[0.5, 0.5]), LOSS + "[0.5, 0.5]"),
    "metric of 5000 digits": (metric(x=[10**4999]), "integer string conversion"),
    "metric of 400 digits": (metric(x=[1, 10**399]), "an integer of 400 digits has more than 64 bits"),
    "many metrics": (metric(**{f"m{n}": n for n in range(1000)}), "at most 1000 metrics, got 1004"),
    "long name": (metric(**{"m" * 201: 1}), "names of at most 200 characters that print, got 'mmm"),
    "name with escape": (metric(**{"\x1b[2J": 1}), r"characters that print, got '\x1b[2J'"),
    "name of half a letter": (metric(**{"\ud800": 1}), r"characters that print, got '\ud800'"),
    "no records": (nothing, RECORDS + "no records"),
    "no arrays": (beside(arrays=None), RECORDS + "MetricRecord 'metrics'"),
    "no metrics": (beside(metrics=None), RECORDS + "ArrayRecord 'arrays'"),
    "two array records": (beside(more=ArrayRecord()), "ArrayRecord 'more'"),
    "two metric records": (beside(more=MetricRecord()), "MetricRecord 'more'"),
    "a config record": (beside(more=ConfigRecord({"a": b"1"})), "ConfigRecord 'more'"),
    "records by other names": (beside(metrics=None, m=MetricRecord()), "MetricRecord 'm'"),
    "kinds swapped": (swapped, RECORDS),
    "huge": (huge, "bytes; at most 1073741824 travel, or as many as were sent"),
}  # fmt: skip


def fortran(w: NDArray[Any]) -> NDArray[Any]:
    return np.asfortranarray(w)


# What is unusual but right.
ADMITTED: dict[str, Mischief] = {
    "as it should be": reply_of,
    "fortran order": array("w", fortran),
    "reversed strides": array("w", lambda w: w[::-1].copy()[::-1]),
    "flower's own array": flowers(NUMPY, npy),
    "flower's own in fortran order": flowers(NUMPY, lambda w: npy(fortran(w))),
    "a metric of its own": metric(mine=1.0),
    "a metric that is nan": metric(mine=float("nan")),
    "a list where others have a number": metric(extra=[1.0]),
    "a list of another length": metric(several=[1.0]),
    "a metric less": metric(extra=None, several=None),
}


def error(code: Any, reason: Any) -> Callable[[Message, Context], Message]:
    def answer(message: Message, context: Context) -> Message:
        return Message(Error(code, reason), reply_to=message)

    return answer


def state(put: Callable[[Context], None]) -> Callable[[Message, Context], Message]:
    """Answer well, but leave a state that cannot be kept."""

    def answer(message: Message, context: Context) -> Message:
        put(context)
        return Message(reply_of(*trained(message, context)), reply_to=message)

    return answer


def no_message(message: Message, context: Context) -> None:
    return None


def _raise(message: Message, context: Context) -> Message:
    raise RuntimeError("\x1b[31mred\x1b[0m\a\n\tindented")


def _plant(context: Context) -> None:
    context.state["a"] = ConfigRecord({"n": 1})
    cast(Any, context.state["a"]).__dict__["_data"]["n"] = object()


def _own_array(context: Context, data: bytes) -> None:
    context.state["a"] = ArrayRecord({"a": Array("object", (1,), NUMPY, data)})


def _fill(context: Context) -> None:
    context.state["a"] = ArrayRecord({"a": LocalArray(np.zeros(MAX_STATE + 1, np.uint8))})


# What an app answers instead of a message with content, or leaves behind.
ANSWERS: dict[str, tuple[Callable[[Message, Context], Any], str]] = {
    "raises": (_raise, "client 2: RuntimeError: red\n\tindented"),
    "none": (no_message, "must return a Message, it returned NoneType"),
    "error": (error(5, "gone"), "gone"),
    "error of an unknown code": (error(99, "gone"), "error 99: gone"),
    "error of a wrong code": (error("boom", "gone"), "error 'boom': gone"),
    "error with a bool": (error(True, "gone"), "error True: gone"),
    "error without reason": (error(2, None), ""),
    "error with a wrong reason": (error(2, ["gone"]), "['gone']"),
    "error that controls": (error(2, "\x1b]0;title\x07\x1b[1mgo\x00ne\u202e\r\n"), "gone\n"),
    "error without end": (error(2, "gone " * 1_000_000), "characters left out"),
    "error that is no JSON": (error(2, b"gone"), "TypeError: Object of type bytes is not JSON serializable"),
    "state too large": (state(_fill), "the client's state (context.state) cannot be kept: it takes 268"),
    "state of objects": (state(_plant), "the client's state (context.state) cannot be kept: "),
    "state of a pickle": (state(lambda c: _own_array(c, npy(np.array([Bomb()])))), "arrays of dtype object"),
    "state of half an array": (state(lambda c: _own_array(c, npy(np.ones(3))[:-1])), "claims dtype float64"),
    "state of long integers": (
        state(lambda c: c.state.update(a=ConfigRecord({"n": 10**50}))),
        "more than 64 bits",
    ),
    "no state": (state(lambda c: setattr(c, "state", {})), "context.state must be a RecordDict, the client"),
}


def layout(described: Any) -> bytes:
    data = json.dumps(described).encode()
    return struct.pack("!I", len(data)) + data


# What a worker that has lost its mind sends instead of bytes that mean something.
GARBLED: dict[str, Callable[[Wire], Wire]] = {
    "nothing": lambda _: Wire(),
    "short": lambda _: Wire(b"\0\0"),
    "zeros": lambda _: Wire(bytes(100)),
    "truncated header": lambda good: Wire(good.header[:40], b"", good.arrays),
    "truncated metrics": lambda good: Wire(good.header[:-3], b"", good.arrays),
    "claims a long layout": lambda good: Wire(b"\xff" * 4 + good.header[4:], b"", good.arrays),
    "not json": lambda _: Wire(struct.pack("!I", 5) + b"{{{{{j{}"),
    "deep json": lambda _: Wire(struct.pack("!I", 2) + b"[]j" + b"[" * 100_000),
    "wrong json": lambda _: Wire(layout({"a": 1}) + b"j[]"),
    "metrics of a list": lambda _: Wire(layout([["metrics", None]]) + b'j{"metrics": ["m", [1]]}'),
    "metrics not there": lambda _: Wire(layout([["metrics", None]]) + b"j{}"),
    "protobuf": lambda good: Wire(good.header[:-60] + b"p" + b"\n\x07metrics" * 5, b"", good.arrays),
    "protobuf garbage": lambda _: Wire(layout([["metrics", None]]) + b"p\xff\xff\xff\xff"),
    "neither": lambda _: Wire(layout([]) + b"x"),
    "a buffer less": lambda good: Wire(good.header, b"", good.arrays[:-1]),
    "a buffer more": lambda good: Wire(good.header, b"", [*good.arrays, b"1234"]),
    "a byte less": lambda good: Wire(good.header, b"", [good.arrays[0], good.arrays[1][:-1]]),
    "claims 1e13 elements": lambda _: Wire(layout([["arrays", [["w", "<f4", [10**13], None]]]]), b"", [b""]),
    "claims nothings": lambda _: Wire(layout([["arrays", [["w", "|S0", [10**13], None]]]]), b"", [b""]),
    "claims objects": lambda _: Wire(layout([["arrays", [["w", "|O8", [1], None]]]]), b"", [bytes(8)]),
    "claims a file": lambda _: Wire(layout([["arrays", [["w", "", [1], NUMPY]]]]), b"", [npy(np.ones(1))]),
    "negative shape": lambda _: Wire(layout([["arrays", [["w", "<f4", [-1, -1], None]]]]), b"", [bytes(4)]),
    "shape of floats": lambda _: Wire(layout([["arrays", [["w", "<f4", [1.0], None]]]]), b"", [bytes(4)]),
    "many dimensions": lambda _: Wire(layout([["arrays", [["w", "<f4", [1] * 99, None]]]]), b"", [bytes(4)]),
    "body not json": lambda _: Wire(body=b"\xff\xfe\xfd"),
    "body of one": lambda _: Wire(body=b"[1]"),
    "body of digits": lambda _: Wire(body=b"[" + b"9" * 5000 + b', ""]'),
    "body without end": lambda _: Wire(body=b"[" * 100_000),
}  # fmt: skip

app = ClientApp()


def trained(message: Message, context: Context) -> tuple[Arrays, Metrics]:
    partition = int(context.node_config["partition-id"])
    arrays = ndarrays(message.content.array_records["arrays"])
    moved = {name: (values + np.float32(partition)) / 2 for name, values in arrays.items()}
    metrics = {"num-examples": partition + 1, "train-loss": float(partition), "extra": 1.0, "several": [1, 2]}
    return moved, metrics


def asked_of(message: Message, context: Context) -> str:
    """Return what this client is to do now."""
    config = cast(ConfigRecord, message.content["config"])
    bad = int(context.node_config["partition-id"]) == BAD
    return cast(str, config.get("mischief", "")) if bad else ""


@app.train()
def train(message: Message, context: Context) -> Any:
    mischief, (arrays, metrics) = asked_of(message, context), trained(message, context)
    if mischief == REMEMBER:
        context.state["kept"] = ConfigRecord({"n": 1})
    if mischief in ANSWERS:
        return ANSWERS[mischief][0](message, context)
    do = CONTENTS[mischief][0] if mischief in CONTENTS else ADMITTED.get(mischief, reply_of)
    reply = Message(do(arrays, metrics), reply_to=message)
    if mischief == IMPERSONATE:
        reply.metadata.__dict__.update(_src_node_id=node_of(0), _reply_to_message_id="0:1")
    return reply


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    mischief, partition = asked_of(message, context), int(context.node_config["partition-id"])
    metrics = {"num-examples": partition % 4 + 1, "loss": float(partition), "extra": 1.0}
    content = reply_of({}, metrics)
    del content["arrays"]
    if mischief in EVALUATIONS:
        content = EVALUATIONS[mischief][0]({}, metrics)
        if not content.array_records.get("arrays", True):
            del content["arrays"]
    return Message(content, reply_to=message)


HELD_OUT = "num-examples must be above 0 and at most 4, the size of the partition; got "
ONE_RECORD = "expected one metric record 'metrics', got "

# What is wrong with a reply to evaluation; None is admitted, and does no harm.
EVALUATIONS: dict[str, tuple[Mischief, str | None]] = {
    "weight 0": (metric(num_examples=0), HELD_OUT + "0"),
    "weight -5": (metric(num_examples=-5), HELD_OUT + "-5"),
    "weight nan": (metric(num_examples=float("nan")), HELD_OUT + "nan"),
    "weight 1e18": (metric(num_examples=1e18), HELD_OUT + "1e+18"),
    "weight list": (metric(num_examples=[1]), HELD_OUT + "[1]"),
    "weight missing": (metric(num_examples=None), HELD_OUT + "None"),
    "planted text": (planted("loss", "low"), "Not all values are of valid type"),
    "metric of 400 digits": (metric(x=10**399), "an integer of 400 digits has more than 64 bits"),
    "no records": (nothing, ONE_RECORD + "no records"),
    "two records": (beside(arrays=None, more=MetricRecord()), ONE_RECORD),
    "another name": (renamed, ONE_RECORD + "MetricRecord 'm'"),
    "a metric of its own": (metric(mine=1.0), None),
    "a metric less": (metric(extra=None), None),
    "a list where others have a number": (metric(extra=[1.0]), None),
    "a loss that is nan": (metric(loss=float("nan")), None),
}


def start() -> ClientRunner:
    return ClientRunner(app, CLIENTS, seed=7, run_id=1)


def _garble(message: Wire, actor: int, reply: Wire) -> Wire:
    for name, change in GARBLED.items():
        if actor == BAD and json.dumps(f"garbled: {name}").encode() in message.header:
            return change(reply)
    return reply


class GarblingActors(ClientActors):
    """Clients in workers, one of which garbles its replies if told to."""

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        reply, after = super().handle(actor, message, state)
        return _garble(message, actor, reply), after


class GarblingGuests(InlineClientActors):
    """The same, in this process."""

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        reply, after = super().handle(actor, message, state)
        return _garble(message, actor, reply), after
