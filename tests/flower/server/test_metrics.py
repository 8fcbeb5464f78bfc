"""What is aggregated is what all replies have, whatever their order."""

from typing import Any

from flwr.app import ConfigRecord, Error, Message, MetricRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.flower.compat import private
from fedlocal.flower.node.client_runner import node_of
from fedlocal.flower.server.metrics import with_common_metrics


def reply(partition: int, metrics: dict[str, Any] | None) -> Message:
    private.become_server(1)
    request = Message(RecordDict(), node_of(partition), "train")
    content = RecordDict({"config": ConfigRecord({"a": 1})})
    if metrics is not None:
        content["metrics"] = MetricRecord(metrics)
    return Message(content, reply_to=request)


def metrics_of(replies: list[Message]) -> list[dict[str, Any]]:
    return [dict(reply.content.metric_records["metrics"]) for reply in replies if reply.has_content()]


def test_replies_that_fit_together_are_left_alone() -> None:
    replies = [reply(0, {"a": 1, "b": [1, 2]}), reply(1, {"b": [3, 4], "a": float("nan")})]
    assert all(ours is theirs for ours, theirs in zip(with_common_metrics(replies), replies, strict=True))


def test_names_that_one_reply_lacks_are_left_out_of_all_and_the_replies_not_changed() -> None:
    replies = [reply(0, {"a": 1, "b": 2}), reply(1, {"a": 3, "c": 4})]
    assert metrics_of(with_common_metrics(replies)) == [{"a": 1}, {"a": 3}]
    assert metrics_of(replies) == [{"a": 1, "b": 2}, {"a": 3, "c": 4}]
    assert with_common_metrics(replies)[1].content["config"] == ConfigRecord({"a": 1})
    assert with_common_metrics(replies)[1].metadata.src_node_id == node_of(1)


def test_lists_are_alike_if_they_are_of_one_length() -> None:
    replies = [reply(0, {"a": [1], "b": [1], "c": [1, 2]}), reply(1, {"a": [2], "b": 1, "c": [1]})]
    assert metrics_of(with_common_metrics(replies)) == [{"a": [1]}, {"a": [2]}]


def test_errors_stay_and_a_reply_without_metrics_is_for_the_strategy_to_judge() -> None:
    good, other = reply(0, {"a": 1}), reply(1, {"b": 1})
    failed = Message(Error(2, "why"), reply_to=reply(2, {}))
    assert with_common_metrics([good, failed, other])[1] is failed
    assert metrics_of(with_common_metrics([good, failed, other])) == [{}, {}]
    assert with_common_metrics([failed]) == [failed]
    assert with_common_metrics([]) == []
    none = [good, reply(3, None)]
    assert with_common_metrics(none)[0] is good


METRICS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2))


@given(st.lists(METRICS, min_size=1, max_size=5), st.randoms())
def test_the_order_of_replies_makes_no_difference(all_metrics: list[dict[str, Any]], rng: Any) -> None:
    replies = [reply(partition, metrics) for partition, metrics in enumerate(all_metrics)]
    shuffled = rng.sample(replies, len(replies))
    forwards, again = (
        {
            message.metadata.src_node_id: dict(message.content["metrics"])
            for message in with_common_metrics(some)
        }
        for some in (replies, shuffled)
    )
    assert forwards == again
    assert len({tuple(sorted(metrics)) for metrics in forwards.values()}) == 1
