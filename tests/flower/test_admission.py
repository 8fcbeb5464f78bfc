"""A bad reply is that client's error; a good one is let through untouched."""

from typing import Any

import numpy as np
import pytest
from flwr.app import Error, Message, MetricRecord, RecordDict
from numpy.typing import NDArray

from fedlocal.flower import private
from fedlocal.flower.admission import Strict
from fedlocal.flower.arrays import array_record
from fedlocal.flower.host import node_of

SENT = {"w": np.zeros((3, 2), dtype=np.float32), "b": np.zeros(2, dtype=np.float32)}
GOOD: dict[str, NDArray[Any]] = {"w": np.ones((3, 2), dtype=np.float32), "b": np.ones(2, dtype=np.float32)}


def reply(arrays: dict[str, NDArray[Any]], metrics: dict[str, Any] | None = None, **records: Any) -> Message:
    private.become_server(1)
    request = Message(RecordDict({"arrays": array_record(SENT)}), node_of(1), "train")
    found = MetricRecord(metrics if metrics is not None else {"num-examples": 5})
    return Message(
        RecordDict({"arrays": array_record(arrays), "metrics": found, **records}), reply_to=request
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
    assert "expected one metric record, got 2" in (twice.error.reason or "")
    arrays = admit(reply(GOOD, more=array_record(GOOD)))
    assert "expected one array record, got 2" in (arrays.error.reason or "")
