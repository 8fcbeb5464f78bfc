"""Flower's private names that fedlocal needs, each with what depends on it."""

import gc
import weakref
from importlib.metadata import version
from typing import Any

import pytest
from flwr.app import ArrayRecord, ConfigRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.server import Server, ServerAppComponents, ServerConfig, SimpleClientManager
from flwr.server.strategy import FedAvg as OlderFedAvg
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg

from fedlocal.flower.compat import private
from tests.compat.private_names import PrivateName, by_name, located, takes


def _keeps(made: Any, *attributes: str) -> bool:
    return set(attributes) <= set(vars(made))


def _metadata() -> Any:
    return located("flwr.app.metadata", "Metadata")(1, "", 1, 1, "", "", 0.0, 0.0, "train", 0, None)


def _message() -> Message:
    private.become_server(3)
    return Message(RecordDict(), 9, "train")


def _through_protobuf(records: RecordDict) -> Any:
    message = located("flwr.common.serde", "recorddict_to_proto")(records)
    parse = located("flwr.proto.recorddict_pb2", "RecordDict").FromString
    return located("flwr.common.serde", "recorddict_from_proto")(parse(message.SerializeToString()))


NAMES = [
    PrivateName(
        "flwr.app.metadata.Metadata: _message_id and other attributes",
        lambda: _keeps(
            _metadata(),
            *("_message_id", "_reply_to_message_id", "_message_type", "_created_at", "_ttl", "_group_id"),
            *("_src_node_id", "_dst_node_id", "_src_task_id", "_dst_task_id"),
        ),
        "requests and replies without the checks of their constructors (LocalGrid, RemoteGrid)",
    ),
    PrivateName(
        "flwr.app.Message: _metadata, _content, _error",
        lambda: vars(_message()).keys() == {"_metadata", "_content", "_error"},
        "requests and replies without the checks of their constructors (LocalGrid, RemoteGrid)",
    ),
    PrivateName(
        "flwr.app.ArrayRecord, MetricRecord, ConfigRecord: _data",
        lambda: all(_keeps(kind(), "_data") for kind in (ArrayRecord, MetricRecord, ConfigRecord)),
        "records without checks, whose arrays are not copied (array_record)",
    ),
    PrivateName(
        "flwr.app.RecordDict: _data, _check_key_fn, _check_value_fn, and its views",
        lambda: (
            _keeps(RecordDict(), "_data", "_check_key_fn", "_check_value_fn")
            and _keeps(RecordDict().array_records, "_data", "_check_key_fn", "_check_value_fn", "recorddict")
        ),
        "freeing a reply's shared memory with its last reference (AcyclicRecordDict)",
    ),
    PrivateName(
        "flwr.serverapp.ServerApp: _server_fn, _strategy, _server",
        lambda: _keeps(ServerApp(), "_server_fn", "_strategy", "_server"),
        "results in the order of the nodes for strategies of the older API (legacy_strategies)",
    ),
    PrivateName(
        "flwr.serverapp.strategy.FedAvg._check_and_log_replies",
        lambda: takes(
            located("flwr.serverapp.strategy", "FedAvg._check_and_log_replies"), "replies", "is_train"
        ),
        "choosing the replies that fedlocal's FedAvg averages (valid_replies)",
    ),
    PrivateName(
        "flwr.serverapp.strategy.strategy_utils.aggregate_metricrecords",
        lambda: callable(located("flwr.serverapp.strategy.strategy_utils", "aggregate_metricrecords")),
        "telling whether FedAvg is to aggregate metrics in another way than Flower's",
    ),
    PrivateName(
        "flwr.serverapp.exception.InconsistentMessageReplies",
        lambda: issubclass(located("flwr.serverapp.exception", "InconsistentMessageReplies"), Exception),
        "refusing replies without a weight (FedAvg)",
    ),
    PrivateName(
        "flwr.common.constant.ErrorCode",
        lambda: all(
            isinstance(located("flwr.common.constant", f"ErrorCode.{name}"), int)
            for name in ("CLIENT_APP_CRASHED", "NODE_UNAVAILABLE", "MESSAGE_UNAVAILABLE")
        ),
        "the errors of clients (LocalGrid)",
    ),
    PrivateName(
        "flwr.common.constant.SType.NUMPY",
        lambda: private.NUMPY == located("flwr.common.constant", "SType.NUMPY") == "numpy.ndarray",
        "arrays that travel without being serialised (LocalArray)",
    ),
    PrivateName(
        "flwr.common.serde.recorddict_to_proto, recorddict_from_proto, flwr.proto.recorddict_pb2",
        lambda: _through_protobuf(RecordDict()) == RecordDict(),
        "metrics and configurations that hold bytes (small_records_to_bytes)",
    ),
    PrivateName(
        "flwr.supercore.run.Run.create_empty",
        lambda: located("flwr.supercore.run", "Run.create_empty")(5).run_id == 5,
        "a run without a SuperLink (LocalGrid)",
    ),
    PrivateName(
        "flwr.supercore.task_identity.TaskIdentity",
        lambda: (_message().metadata.run_id, _message().metadata.src_node_id) == (3, private.SERVER_NODE),
        "making messages in this process (become_server)",
    ),
]


@pytest.mark.parametrize("name", NAMES, ids=by_name)
def test_a_private_name_of_flower_is_as_before(name: PrivateName) -> None:
    name.check(f"Flower {version('flwr')}")


def test_a_run_can_be_made_without_a_superlink() -> None:
    assert private.empty_run(5).run_id == 5


def test_messages_need_an_identity_and_take_an_identifier() -> None:
    private.become_server(3)
    message = Message(RecordDict(), 9, "train")
    private.stamped(message, "0:1")
    assert message.metadata.run_id == 3
    assert message.metadata.src_node_id == private.SERVER_NODE
    assert Message(RecordDict(), reply_to=message).metadata.reply_to_message_id == "0:1"


def test_requests_and_replies_are_what_flower_makes_of_them() -> None:
    private.become_server(private.RUN_ID)
    made = Message(RecordDict(), 9, "train.custom", ttl=12.5, group_id="g")
    private.stamped(made, "0:1")
    names = ("message_id", "dst_node_id", "group_id", "created_at", "ttl", "message_type")
    again = private.request_from(RecordDict(), **{name: getattr(made.metadata, name) for name in names})
    assert vars(again.metadata) == vars(made.metadata)
    theirs, ours = Message(RecordDict(), reply_to=made), private.reply_to(made, RecordDict())
    for name, value in vars(theirs.metadata).items():
        if name not in {"_created_at", "_ttl", "_message_id"}:
            assert vars(ours.metadata)[name] == value, name
    assert vars(ours).keys() == vars(theirs).keys()
    assert 0 < ours.metadata.ttl <= made.metadata.ttl
    assert ours.metadata.message_id == "0:1 reply"  # a grid's to give


def test_a_message_is_copied_as_it_is() -> None:
    private.become_server(private.RUN_ID)
    made = Message(RecordDict({"m": MetricRecord({"n": 1})}), 9, "train.custom", ttl=12.5, group_id="g")
    again = private.stamped(made, "0:1")
    private.stamped(made, "0:2")
    assert (again.metadata.message_id, again.content) == ("0:1", made.content)
    assert vars(again.metadata).keys() == vars(made.metadata).keys()


def test_a_reply_or_an_error_takes_the_place_of_a_reply() -> None:
    private.become_server(private.RUN_ID)
    asked = Message(RecordDict(), 9, "train")
    private.stamped(asked, "0:1")
    reply = private.reply_to(asked, RecordDict())
    other = private.replacement(reply, RecordDict({"m": MetricRecord()}))
    refused = private.replacement(reply, None, Error(private.CLIENT_APP_RAISED, "why"))
    assert list(other.content) == ["m"]
    assert refused.error.reason == "why"
    assert vars(other.metadata) == vars(refused.metadata) == vars(reply.metadata)
    assert reply.content == RecordDict()


def test_error_codes_are_flowers_and_small_numbers() -> None:
    assert {private.CLIENT_APP_RAISED, private.NODE_UNAVAILABLE} < private.ERROR_CODES
    assert all(type(code) is int and 0 <= code < 100 for code in private.ERROR_CODES)


@pytest.mark.parametrize("kind", [ArrayRecord, MetricRecord, ConfigRecord])
def test_a_record_made_without_checks_is_a_record_with_checks(kind: Any) -> None:
    record = private.record_of(kind, {})
    assert vars(record).keys() == vars(kind()).keys()
    with pytest.raises(TypeError):
        record["key"] = object()


def test_a_content_made_without_checks_is_a_content_with_checks() -> None:
    content = private.content_of({"m": MetricRecord({"n": 1})})
    assert content == RecordDict({"m": MetricRecord({"n": 1})})
    with pytest.raises(TypeError):
        content["x"] = 3  # type: ignore[assignment]


def test_small_records_survive_as_bytes() -> None:
    records: dict[str, Any] = {
        "m": MetricRecord({"a": 1, "b": [0.5]}),
        "c": ConfigRecord({"x": "y", "z": b"\0", "t": True}),
    }
    assert private.small_records_from_bytes(private.small_records_to_bytes(records)) == RecordDict(records)


def test_bytes_that_are_no_records_are_refused() -> None:
    with pytest.raises(Exception, match="parsing"):
        private.small_records_from_bytes(b"\xff\xff\xff")


def test_a_content_is_freed_with_its_last_reference_though_flower_looked_at_it() -> None:
    content = private.AcyclicRecordDict({"metrics": MetricRecord({"n": 1}), "arrays": ArrayRecord()})
    gone = weakref.ref(content)
    gc.disable()
    try:
        assert list(content.metric_records) == ["metrics"]
        assert list(content.array_records) == ["arrays"]
        assert list(content.config_records) == []
        del content
        assert gone() is None
    finally:
        gc.enable()


def test_the_views_of_a_content_are_still_in_step_with_it_and_typed() -> None:
    content = private.AcyclicRecordDict()
    content.metric_records["m"] = MetricRecord({"n": 1})
    assert content == RecordDict({"m": MetricRecord({"n": 1})})
    with pytest.raises(TypeError, match="expected MetricRecord, got ArrayRecord"):
        content.metric_records["a"] = ArrayRecord()


def test_flowers_fedavg_aggregates_metrics_with_the_function_that_ours_replaces() -> None:
    assert FedAvg().train_metrics_aggr_fn is private.aggregate_metricrecords


@pytest.mark.parametrize("made", ["by server_fn", "before", "in a server"])
def test_strategies_of_the_older_api_can_be_acted_on(made: str) -> None:
    strategy, seen = OlderFedAvg(min_available_clients=1), list[Any]()
    server = Server(client_manager=SimpleClientManager(), strategy=strategy)
    parts: Any = {"server": server} if made == "in a server" else {"strategy": strategy}

    def server_fn(context: Context) -> ServerAppComponents:
        return ServerAppComponents(config=ServerConfig(num_rounds=0), **parts)

    app = ServerApp(server_fn=server_fn) if made != "before" else ServerApp(**parts)
    with private.legacy_strategies(app, seen.append):
        if made != "before":
            vars(app)["_server_fn"](Context(1, 1, {}, RecordDict(), {}))
    assert seen == [strategy]
    assert vars(app)["_server_fn"] is (None if made == "before" else server_fn)
