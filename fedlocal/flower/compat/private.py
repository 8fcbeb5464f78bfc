"""The names of Flower's that are not public API, guarded by ``tests/flower/compat/test_private.py``."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from flwr.app import ArrayRecord, ConfigRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.app.metadata import Metadata
from flwr.common.constant import ErrorCode, SType
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.proto.recorddict_pb2 import RecordDict as ProtoRecordDict
from flwr.serverapp import ServerApp
from flwr.serverapp.exception import InconsistentMessageReplies
from flwr.serverapp.strategy import FedAvg
from flwr.serverapp.strategy.strategy_utils import aggregate_metricrecords
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

RUN_ID = 1
SERVER_NODE = 1  # Flower's SuperLink is node 1 in every run
NUMPY = SType.NUMPY
CLIENT_APP_RAISED = ErrorCode.CLIENT_APP_RAISED_EXCEPTION
CLIENT_APP_CRASHED = ErrorCode.CLIENT_APP_CRASHED
NODE_UNAVAILABLE = ErrorCode.NODE_UNAVAILABLE
MESSAGE_UNAVAILABLE = ErrorCode.MESSAGE_UNAVAILABLE
ERROR_CODES = frozenset(code for name, code in vars(ErrorCode).items() if name.isupper())

__all__ = ["InconsistentMessageReplies", "Run", "aggregate_metricrecords"]

Record = TypeVar("Record", ArrayRecord, MetricRecord, ConfigRecord)


def empty_run(run_id: int) -> Run:
    """Return a run that exists in this process only."""
    return Run.create_empty(run_id)


def become_server(run_id: int) -> None:
    """Let this process make messages: Flower asks a process-wide identity who sends them."""
    TaskIdentity.run_id = run_id
    TaskIdentity.node_id = SERVER_NODE
    TaskIdentity.task_id = 0


def set_source(reply: Message, node: int) -> None:
    """Have a reply come from another node."""
    reply.metadata.__dict__["_src_node_id"] = node


def valid_replies(strategy: FedAvg, replies: Iterable[Message]) -> list[Message]:
    """Return the replies to a training request that are no errors, once Flower has logged and compared all.

    Raises
    ------
    InconsistentMessageReplies
        If they do not have the same records, or lack a number to weigh them by.
    """
    valid, _ = strategy._check_and_log_replies(replies, is_train=True)  # noqa: SLF001
    return valid


# Messages and records without the checks of their constructors, which cost more than all else that happens to
# a small message here: the parts were checked where they were made.


def request_from(content: RecordDict, **fields: Any) -> Message:
    """Put a request to a node together.

    Parameters
    ----------
    content : RecordDict
        Its content.
    **fields
        ``message_id``, ``dst_node_id``, ``group_id``, ``created_at``, ``ttl`` and ``message_type``.
    """
    metadata = {f"_{name}": value for name, value in fields.items()}
    return _message({**_FROM_SERVER, **metadata}, content, None)


def readdressed(message: Message, node: int) -> Message:
    """Return the same message to another node."""
    return _message({**message.metadata.__dict__, "_dst_node_id": node}, message.content, None)


def stamped(message: Message, message_id: str) -> Message:
    """Give a message its identifier, which is the grid's to choose; return a copy, which keeps it."""
    message.metadata.__dict__["_message_id"] = message_id
    return _message(message.metadata.__dict__, message.content, None)


def unknown_message(message_id: str) -> Message:
    """Return the error in place of the reply to a message that nobody sent, or whose reply was taken."""
    fields = {
        "_message_id": f"{message_id} reply",
        "_reply_to_message_id": message_id,
        "_message_type": "system",
    }
    error = Error(MESSAGE_UNAVAILABLE, f"no reply to message {message_id!r} will come")
    return _message({**_FROM_SERVER, **fields, "_created_at": time.time()}, None, error)


def reply_to(request: Message, content: RecordDict | None, error: Error | None = None) -> Message:
    """Put the reply to a request together; its source is the request's destination."""
    asked, now = request.metadata.__dict__, time.time()
    turned = {
        "_message_id": f"{asked['_message_id']} reply",
        "_reply_to_message_id": asked["_message_id"],
        "_src_node_id": asked["_dst_node_id"],
        "_dst_node_id": asked["_src_node_id"],
        "_src_task_id": asked["_dst_task_id"],
        "_dst_task_id": asked["_src_task_id"],
        "_created_at": now,
        "_ttl": asked["_ttl"] - (now - asked["_created_at"]),
    }
    return _message({**asked, **turned}, content, error)


def replacement(reply: Message, content: RecordDict | None, error: Error | None = None) -> Message:
    """Return a reply with another content, or with an error in its place."""
    return _message(reply.metadata.__dict__, content, error)


def _message(fields: dict[str, Any], content: RecordDict | None, error: Error | None) -> Message:
    metadata, message = Metadata.__new__(Metadata), Message.__new__(Message)
    metadata.__dict__.update(fields)
    message.__dict__.update(_metadata=metadata, _content=content, _error=error)
    return message


_FROM_SERVER = {
    **Metadata(RUN_ID, "", SERVER_NODE, SERVER_NODE, "", "", 0.0, 0.0, "train", 0, None).__dict__,
    "_delivered_at": "",
}


def record_of(kind: type[Record], data: dict[str, Any]) -> Record:
    """Return a record that holds `data` itself, whose keys and values are not checked."""
    record = kind.__new__(kind)
    record.__dict__.update(_CHECKS[kind], _data=data)
    return record


_CHECKS = {kind: dict(kind().__dict__) for kind in (ArrayRecord, MetricRecord, ConfigRecord)}


class AcyclicRecordDict(RecordDict):
    """A ``RecordDict`` that is freed with its last reference, and whose views are cheap.

    Flower's views of it (``array_records`` and its kin) hold a bound method, and with it themselves and the
    content: a reply's arrays would keep their shared memory until the garbage collector comes by.
    """

    @property
    def array_records(self) -> Any:
        """Dictionary holding only ArrayRecord instances."""
        return _view(self, ArrayRecord)

    @property
    def metric_records(self) -> Any:
        """Dictionary holding only MetricRecord instances."""
        return _view(self, MetricRecord)

    @property
    def config_records(self) -> Any:
        """Dictionary holding only ConfigRecord instances."""
        return _view(self, ConfigRecord)


AcyclicRecordDict.__qualname__ = RecordDict.__qualname__  # Flower writes it into what it serialises


def _view(content: RecordDict, kind: type) -> Any:
    view = _View.__new__(_View)
    view.__dict__.update(
        _check_key_fn=_check_key,
        _check_value_fn=partial(_check_kind, kind),
        _data={name: record for name, record in content.items() if isinstance(record, kind)},
        recorddict=content,
        allowed_type=kind,
    )
    return view


_View = type(RecordDict().array_records)
_check_key = RecordDict().__dict__["_check_key_fn"]
_check_record = RecordDict().__dict__["_check_value_fn"]


def _check_kind(kind: type, value: object) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")


def content_of(records: Mapping[str, ArrayRecord | MetricRecord | ConfigRecord]) -> AcyclicRecordDict:
    """Return a content of these records, which are not checked."""
    content = AcyclicRecordDict.__new__(AcyclicRecordDict)
    content.__dict__.update(_check_key_fn=_check_key, _check_value_fn=_check_record, _data=dict(records))
    return content


@contextmanager
def legacy_strategies(app: ServerApp, act: Callable[[Any], None]) -> Iterator[None]:
    """Act on the strategies of an app of the older API, also if its ``server_fn`` makes them as it runs."""
    server_fn = vars(app)["_server_fn"]

    def acting(context: Context) -> Any:
        components = server_fn(context)
        _act_on(components.strategy, components.server, act)
        return components

    _act_on(vars(app)["_strategy"], vars(app)["_server"], act)
    vars(app)["_server_fn"] = server_fn and acting
    try:
        yield
    finally:
        vars(app)["_server_fn"] = server_fn


def _act_on(strategy: Any, server: Any, act: Callable[[Any], None]) -> None:
    for candidate in (strategy, getattr(server, "strategy", None)):
        if candidate is not None:
            act(candidate)


def small_records_to_bytes(records: dict[str, MetricRecord | ConfigRecord]) -> bytes:
    """Serialise metric and config records with Flower's protobuf."""
    data: bytes = recorddict_to_proto(RecordDict(dict(records))).SerializeToString(deterministic=True)
    return data


def small_records_from_bytes(data: bytes) -> RecordDict:
    """Undo `small_records_to_bytes`; Flower raises its own errors where the bytes are not that."""
    return recorddict_from_proto(ProtoRecordDict.FromString(data))
