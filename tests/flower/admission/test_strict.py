"""A bad reply is that client's error; a good one is let through untouched."""

from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from numpy.typing import NDArray

from fedlocal.flower.admission.policy import Declaration
from fedlocal.flower.admission.strict import Strict
from fedlocal.flower.admission.structural import Structural
from fedlocal.flower.compat import private
from fedlocal.flower.messages.arrays import LocalArray, array_record
from fedlocal.flower.node.client_runner import node_of

SENT = {"w": np.zeros((3, 2), dtype=np.float32), "b": np.zeros(2, dtype=np.float32)}
GOOD: dict[str, NDArray[Any]] = {"w": np.ones((3, 2), dtype=np.float32), "b": np.ones(2, dtype=np.float32)}


def reply(arrays: dict[str, NDArray[Any]], metrics: dict[str, Any] | None = None, **records: Any) -> Message:
    private.become_server(1)
    request = Message(RecordDict({"arrays": array_record(SENT)}), node_of(1), "train")
    record = MetricRecord(metrics if metrics is not None else {"num-examples": 5})
    return Message(
        RecordDict({"arrays": array_record(arrays), "metrics": record, **records}), reply_to=request
    )


def admit(message: Message) -> Message:
    strict = Strict([10, 5])
    (admitted,) = strict.values(strict.structure([message], array_record(SENT)))
    return admitted


def test_a_good_reply_is_admitted_as_it_is() -> None:
    message = reply(GOOD)
    assert admit(message) is message


def test_an_error_stays_the_error_that_it_is() -> None:
    message = reply(GOOD)
    error = Message(Error(3, "gone"), reply_to=message)
    assert admit(error) is error


def _with(name: str, array: Any) -> dict[str, NDArray[Any]]:
    return {**GOOD, name: np.asarray(array)}


def _one(value: float) -> NDArray[np.float32]:
    array = GOOD["w"].copy()
    array[1, 1] = value
    return array


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        (_with("w", _one(np.nan)), "w is not finite"),
        (_with("w", _one(np.inf)), "w is not finite"),
        (_with("w", _one(-np.inf)), "w is not finite"),
        (_with("w", np.ones((1, 2), dtype=np.float32)), r"w must be float32\(3, 2\), got float32\(1, 2\)"),
        (_with("b", np.float32(1)), r"b must be float32\(2,\), got float32\(\)"),
        (_with("w", GOOD["w"].astype(np.float64)), "got float64"),
        (_with("w", GOOD["w"].astype(">f4")), "got >f4"),
        (_with("w", np.ones((3, 2), dtype=np.int32)), "got int32"),
        (_with("w", np.full((3, 2), "a")), "got <U1"),
        ({"w": GOOD["w"]}, r"expected arrays \['w', 'b'\], got \['w'\]"),
        (_with("extra", 1.0), "expected arrays"),
        ({"b": GOOD["b"], "w": GOOD["w"]}, r"got \['b', 'w'\]"),
    ],
)
def test_arrays_other_than_those_sent_are_refused(arrays: dict[str, NDArray[Any]], reason: str) -> None:
    refused = admit(reply(arrays))
    assert refused.metadata.src_node_id == node_of(1)
    assert refused.error.reason
    assert refused.error.reason.startswith("client 1: ")
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(refused.error.reason)


def test_large_but_finite_arrays_are_admitted() -> None:
    message = reply(_with("w", np.full((3, 2), 3e38, dtype=np.float32)))
    assert admit(message) is message


@pytest.mark.parametrize("weight", [0, -5, float("nan"), 6, 1e18, [3, 3]])
def test_a_weight_that_cannot_be_true_is_refused(weight: Any) -> None:
    refused = admit(reply(GOOD, {"num-examples": weight}))
    assert "num-examples must be above 0 and at most 5" in (refused.error.reason or "")


def test_a_missing_weight_and_a_second_record_are_refused() -> None:
    assert "got None" in (admit(reply(GOOD, {})).error.reason or "")
    twice = admit(reply(GOOD, more=MetricRecord({"num-examples": 5})))
    assert "got ArrayRecord 'arrays', MetricRecord 'metrics', MetricRecord 'more'" in (
        twice.error.reason or ""
    )
    arrays = admit(reply(GOOD, more=array_record(GOOD)))
    assert "ArrayRecord 'more'" in (arrays.error.reason or "")


def test_the_metrics_that_a_strategy_computes_with_must_be_there_and_finite() -> None:
    strict = Strict([10, 5], declaration=Declaration(losses=("train-loss",), weighted_by="quality"))

    def reason(**metrics: Any) -> str:
        named = {"num-examples": 5, "quality": 0.5, "train-loss": 1, **metrics}
        message = reply(GOOD, {name: value for name, value in named.items() if value is not None})
        (admitted,) = strict.structure([message], array_record(SENT))
        return (admitted.error.reason or "") if admitted.has_error() else ""

    assert reason() == reason(other=float("nan"), third=[1]) == ""
    for bad in (None, float("nan"), float("inf"), 0, -1, [1]):
        assert "quality (strategy.weighted_by_key) must be above 0" in reason(quality=bad)
    for bad in (None, float("nan"), float("inf"), -1, [1]):
        assert "train-loss must be finite and at least 0" in reason(**{"train-loss": bad})


def test_a_client_without_rows_that_says_so_is_excused_and_no_error() -> None:
    nothing, something = reply(GOOD, {"num-examples": 0, "train-loss": float("nan")}), reply(GOOD)
    assert Strict([10, 0]).structure([nothing], array_record(SENT)) == []
    (refused,) = Strict([10, 0]).structure([something], array_record(SENT))
    assert "at most 0, the size of the partition; got 5" in (refused.error.reason or "")
    (lazy,) = Strict([10, 5]).structure([nothing], array_record(SENT))
    assert lazy.has_error()


def test_declared_vectors_come_after_the_arrays_in_their_sizes_and_finite() -> None:
    strict = Strict([10, 5], declaration=Declaration(vectors={"control": 3}))

    def reason(*records: tuple[str, Any]) -> str:
        message = reply(GOOD)
        for name, record in records:
            message.content[name] = record
        (admitted,) = strict.values(strict.structure([message], array_record(SENT)))
        return (admitted.error.reason or "") if admitted.has_error() else ""

    def control(*values: float, dtype: str = "f4") -> tuple[str, ArrayRecord]:
        return "vectors", array_record({"control": np.array(values, dtype)})

    assert reason(control(1, 2, 3)) == ""
    assert "control must be float32(3,), got float32(2,)" in reason(control(1, 2))
    assert "control must be float32(3,), got float64(3,)" in reason(control(1, 2, 3, dtype="f8"))
    assert "control is not finite" in reason(control(1, 2, np.nan))
    expected = (
        "expected an array record 'arrays', an array record 'vectors' and a metric record 'metrics', got"
    )
    assert expected in reason()
    assert expected in reason(control(1, 2, 3), ("more", MetricRecord()))


def evaluated(metrics: dict[str, Any], **records: Any) -> Message:
    message = reply({}, metrics, **records)
    del message.content["arrays"]
    return message


def test_replies_to_evaluation_weigh_as_much_as_is_held_out() -> None:
    bounded, unbounded = Strict([10, 5], [3, 2]), Strict([10, 5])
    assert not any(
        reply_.has_error() for reply_ in bounded.evaluation([evaluated({"num-examples": 2, "loss": 1})])
    )
    (refused,) = bounded.evaluation([evaluated({"num-examples": 3})])
    assert "num-examples must be above 0 and at most 2" in (refused.error.reason or "")
    (refused,) = bounded.evaluation([evaluated({"num-examples": 0})])
    assert refused.has_error()
    (admitted,) = unbounded.evaluation([evaluated({"num-examples": 1e9, "loss": float("nan")})])
    assert admitted.has_content()
    (refused,) = unbounded.evaluation([evaluated({"num-examples": float("inf")})])
    assert "must be above 0 and finite; got inf" in (refused.error.reason or "")
    nothing = evaluated({"num-examples": 0, "loss": float("nan")})
    assert Strict([10, 5], [3, 0]).evaluation([nothing]) == unbounded.evaluation([nothing]) == []
    (refused,) = bounded.evaluation([reply(GOOD)])
    assert "expected one metric record 'metrics', got ArrayRecord 'arrays'" in (refused.error.reason or "")


def test_structural_admits_the_replies_of_any_app() -> None:
    trees = ArrayRecord({"trees": Array("", (), "xgboost", b"{}"), "nan": LocalArray(np.array(np.nan))})
    anything = reply(
        {}, {"x": [1, 2]}, more=MetricRecord(), trees=trees, config=ConfigRecord({"share": b"1"})
    )
    nothing = evaluated({})
    error = Message(Error(3, "gone"), reply_to=nothing)
    replies, policy = [anything, nothing, error], Structural()
    for admitted in (
        policy.structure(replies, array_record(SENT)),
        policy.values(replies),
        policy.evaluation(replies),
    ):
        assert all(ours is theirs for ours, theirs in zip(admitted, replies, strict=True))


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Structural(max_records=3), "a reply may have 3 records, this one has 4"),
        (Structural(max_arrays=2), "a reply may have 2 arrays, this one has 3"),
        (Structural(max_values=4), "a reply may have 4 values, this one has 5"),
        (Structural(max_bytes=24 + 8 + 3 + 24 + 4), "a reply may have 63 bytes, this one has 64"),
    ],
)
def test_structural_keeps_replies_within_budgets(policy: Structural, reason: str) -> None:
    trees = ArrayRecord({"trees": Array("", (), "xgboost", b"123")})
    config = ConfigRecord({"text": "abcd", "bytes": b"1"})
    arrays = {"w": np.ones((3, 2), dtype=np.float32), "b": np.ones(2, dtype=np.float32)}
    message = reply(arrays, {"x": 1, "y": [1, 2]}, trees=trees, config=config)
    (refused,) = policy.structure([message], array_record(SENT))
    assert refused.error.reason == f"client 1: {reason}"
    assert refused.metadata.src_node_id == node_of(1)
