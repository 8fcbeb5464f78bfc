"""The few names of Flower's that are not public API, guarded by ``tests/flower/test_private.py``."""

from typing import Any

from flwr.app import ConfigRecord, Message, MetricRecord, RecordDict
from flwr.app.metadata import Metadata
from flwr.common.constant import ErrorCode, SType
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.proto.recorddict_pb2 import RecordDict as ProtoRecordDict
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

RUN_ID = 1
SERVER_NODE = 1  # Flower's SuperLink is node 1 in every run
NUMPY = SType.NUMPY
CLIENT_APP_RAISED = ErrorCode.CLIENT_APP_RAISED_EXCEPTION
NODE_UNAVAILABLE = ErrorCode.NODE_UNAVAILABLE

__all__ = ["Run"]

METADATA = (
    "run_id",
    "message_id",
    "src_node_id",
    "dst_node_id",
    "reply_to_message_id",
    "group_id",
    "created_at",
    "ttl",
    "message_type",
)


def empty_run(run_id: int) -> Run:
    """Return a run that exists in this process only."""
    return Run.create_empty(run_id)


def become_server(run_id: int) -> None:
    """Let this process make messages: Flower asks a process-wide identity who sends them."""
    TaskIdentity.run_id = run_id
    TaskIdentity.node_id = SERVER_NODE
    TaskIdentity.task_id = 0


def set_message_id(message: Message, message_id: str) -> None:
    """Give a message its identifier, which is the grid's to choose."""
    message.metadata.__dict__["_message_id"] = message_id


def metadata_fields(message: Message) -> dict[str, Any]:
    """Return a message's metadata as plain values."""
    return {name: getattr(message.metadata, name) for name in METADATA}


def message_from(content: RecordDict, fields: dict[str, Any]) -> Message:
    """Put a message together from its content and the metadata of `metadata_fields`."""
    message: Message = Message(content=content, metadata=Metadata(**fields))  # type: ignore[call-overload]
    return message


class AcyclicRecordDict(RecordDict):
    """A ``RecordDict`` that is freed with its last reference.

    Flower's views of one (``array_records`` and its kin) hold a method of their own, and with it themselves
    and the content: a reply's arrays would keep their shared memory until the garbage collector comes by.
    """

    @property
    def array_records(self) -> Any:
        """Dictionary holding only ArrayRecord instances."""
        return _without_cycle(super().array_records)

    @property
    def metric_records(self) -> Any:
        """Dictionary holding only MetricRecord instances."""
        return _without_cycle(super().metric_records)

    @property
    def config_records(self) -> Any:
        """Dictionary holding only ConfigRecord instances."""
        return _without_cycle(super().config_records)


AcyclicRecordDict.__qualname__ = RecordDict.__qualname__  # Flower writes it into what it serialises


def _without_cycle(view: Any) -> Any:
    def check(value: object, kind: type = view.allowed_type) -> None:
        if not isinstance(value, kind):
            raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")

    view.__dict__["_check_value_fn"] = check
    return view


def small_records_to_bytes(records: dict[str, MetricRecord | ConfigRecord]) -> bytes:
    """Serialise metric and config records with Flower's protobuf."""
    data: bytes = recorddict_to_proto(RecordDict(dict(records))).SerializeToString(deterministic=True)
    return data


def small_records_from_bytes(data: bytes) -> RecordDict:
    """Undo `small_records_to_bytes`; Flower raises its own errors where the bytes are not that."""
    return recorddict_from_proto(ProtoRecordDict.FromString(data))
