"""Messages survive as bytes, and bytes that lie are refused."""

import json
import tracemalloc
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedlocal.actors import Wire, raw
from fedlocal.flower.compat import private
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.messages.codec import (
    MAX_STATE,
    CodecError,
    Contents,
    decode_content,
    decode_reply,
    decode_request,
    encode_content,
    encode_reply,
    encode_request,
    pack_state,
    unpack_state,
)
from fedlocal.flower.messages.codec import _parsed as layouts

ARRAYS = hnp.arrays(
    dtype=st.sampled_from(["<f4", ">f4", "<f8", "<i8", "?", "<c8", "<f2", "u1"]),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
).flatmap(lambda array: st.sampled_from([array, np.asfortranarray(array), array.T]))


def content(arrays: dict[str, np.ndarray[Any, Any]]) -> RecordDict:
    return RecordDict(
        {
            "config": ConfigRecord({"server-round": 3, "lr": 0.1, "tags": ["a", "b"]}),
            "arrays": array_record(arrays),
            "metrics": MetricRecord({"loss": 0.5, "counts": [1, 2]}),
            "none": ArrayRecord(),
        }
    )


@given(st.dictionaries(st.text(max_size=5), ARRAYS, max_size=4))
def test_any_content_survives(arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    header, buffers = encode_content(content(arrays))
    again = decode_content(header, [bytes(raw(buffer)) for buffer in buffers])
    assert list(again) == ["config", "arrays", "metrics", "none"]
    assert again["config"] == content({})["config"]
    assert again["metrics"] == content({})["metrics"]
    for name, array in ndarrays(again.array_records["arrays"]).items():
        assert array.dtype == arrays[name].dtype
        assert array.tobytes() == arrays[name].tobytes()
        assert array.shape == arrays[name].shape
        assert array.flags.fnc == arrays[name].flags.fnc


@given(st.dictionaries(st.text(max_size=5), ARRAYS, max_size=4))
def test_any_state_survives(arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    again = unpack_state(pack_state(content(arrays)))
    assert again["config"] == content({})["config"]
    assert {name: array.tobytes() for name, array in ndarrays(again.array_records["arrays"]).items()} == {
        name: array.tobytes() for name, array in arrays.items()
    }


def test_an_empty_state_is_no_bytes() -> None:
    assert pack_state(RecordDict()) == b""
    assert unpack_state(b"") == RecordDict()


def test_flowers_own_arrays_travel_as_they_are() -> None:
    sent = RecordDict({"model": ArrayRecord({"trees": Array("", (), "xgboost", b"\1\2\3")})})
    header, buffers = encode_content(sent)
    assert decode_content(header, buffers) == sent


def test_arrays_that_are_not_contiguous_arrive_in_their_logical_order() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    header, buffers = encode_content(RecordDict({"arrays": array_record({"w": array})}))
    np.testing.assert_array_equal(
        ndarrays(decode_content(header, buffers).array_records["arrays"])["w"], array
    )


def _request() -> Message:
    private.become_server(1)
    request = Message(content({"w": np.ones(3, dtype=np.float32)}), 2, "train.custom", group_id="5")
    private.stamped(request, "0:1")
    return request


def test_requests_and_replies_survive() -> None:
    request = _request()
    again = decode_request(encode_request(request), content({}))
    assert vars(again.metadata) == vars(request.metadata)
    reply = decode_reply(encode_reply(content({})), request)
    assert reply.metadata.src_node_id == 2
    assert reply.metadata.reply_to_message_id == "0:1"
    assert reply.content["metrics"] == content({})["metrics"]


def test_values_that_json_does_not_have_survive() -> None:
    sent = RecordDict(
        {
            "config": ConfigRecord({"bytes": b"\0\1", "text": "ü", "true": True}),
            "metrics": MetricRecord(
                {"nan": float("nan"), "inf": float("-inf"), "large": 2**62, "tiny": 5e-324}
            ),
        }
    )
    again = decode_content(*encode_content(sent))
    assert again["config"] == sent["config"]
    assert repr(again["metrics"]) == repr(sent["metrics"])


def test_requests_with_one_content_share_its_memory_and_nothing_else() -> None:
    header, buffers = encode_content(content({"w": np.ones(3, dtype=np.float32)}))
    contents, wire = Contents(), Wire(header, b"", buffers)
    first, second = contents.decode(wire), contents.decode(wire)
    assert first == second
    array, other = (ndarrays(decoded.array_records["arrays"])["w"] for decoded in (first, second))
    assert np.shares_memory(array, other)
    first.config_records["config"]["server-round"] = 9
    first.array_records["arrays"]["w"].shape = (1, 3)
    del first["metrics"]
    assert second == contents.decode(wire) == content({"w": np.ones(3, dtype=np.float32)})
    assert contents.decode(Wire(*encode_content(RecordDict())[:1])) == RecordDict()


def test_an_error_survives() -> None:
    request = _request()
    reply = decode_reply(encode_reply(Error(2, "why")), request)
    assert (reply.error.code, reply.error.reason) == (2, "why")


def test_an_order_that_there_is_not_is_refused() -> None:
    with pytest.raises(CodecError, match="claims order 'K'"):
        decode_content(_header([["arrays", [["w", "<f4", [1], None, "K"]]]], {}), [bytes(4)])


@pytest.mark.parametrize(("dtype", "shape"), [("<f4", [10**13]), ("<f4", [4]), ("|O", [1]), ("<f8", [3])])
def test_an_array_that_claims_other_than_its_bytes_is_refused(dtype: str, shape: list[int]) -> None:
    layout = json.dumps([["arrays", [["w", dtype, shape, None]]]]).encode()
    with pytest.raises(CodecError, match="claims"):
        decode_content(len(layout).to_bytes(4, "big") + layout, [b"\0" * 12])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["<f4", "|S0", "m", "metrics", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["m", "metrics"]), inner),
    max_leaves=12,
)


def _header(layout: Any, small: Any) -> bytes:
    described = json.dumps(layout).encode()
    return len(described).to_bytes(4, "big") + described + b"j" + json.dumps(small).encode()


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """A good header with a few bytes changed, or its end cut off."""
    header = bytearray(encode_content(content({"w": np.ones(3, dtype=np.float32)}))[0])
    for _ in range(draw(st.integers(0, 3))):
        header[draw(st.integers(0, len(header) - 1))] = draw(st.integers(0, 255))
    return bytes(header[: draw(st.integers(0, len(header)))])


HEADERS = st.binary(max_size=60) | st.builds(_header, JSON, JSON) | _damaged()
DTYPES = st.sampled_from(["<f4", "<U9", "|b1", "|O8", "|V8", "<M8[s]"]) | st.text(max_size=4)
SHAPES = st.lists(st.integers(-2, 10**14), max_size=3) | JSON
STYPES = st.none() | st.sampled_from(["numpy.ndarray", "xgboost"])
LAYOUTS = st.lists(st.tuples(st.text(max_size=2), DTYPES, SHAPES, STYPES), max_size=3)


@given(
    HEADERS | st.builds(lambda arrays: _header([["arrays", arrays]], {}), LAYOUTS),
    st.just(b"") | st.binary(max_size=30) | JSON.map(lambda value: json.dumps(value).encode()),
    st.lists(st.binary(max_size=16), max_size=3),
)
def test_any_bytes_are_a_reply_or_refused_and_allocate_no_more_than_they_are(
    header: bytes, body: bytes, buffers: list[bytes]
) -> None:
    request = _request()
    tracemalloc.start()
    try:
        with suppress(CodecError):
            reply = decode_reply(Wire(header, body, buffers), request)
            assert reply.has_content() or isinstance(reply.error.reason, str)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_long_layouts_are_not_kept() -> None:
    record = array_record({f"w{number}": np.ones(1) for number in range(3000)})
    header, buffers = encode_content(RecordDict({"arrays": record}))
    before = layouts.cache_info().currsize
    assert len(decode_content(header, buffers).array_records["arrays"]) == 3000
    assert layouts.cache_info().currsize == before


@pytest.mark.parametrize("dtype", ["<f4,<f4", "(2,)<f4", "f4", "|V8", "|O", "|S0", "float32", "<z4", ""])
def test_dtypes_that_no_ndarray_of_ours_has_are_refused(dtype: str) -> None:
    with pytest.raises(CodecError):
        decode_content(_header([["arrays", [["w", dtype, [1], None]]]], {}), [bytes(8)])


def test_a_state_that_could_not_be_restored_is_refused() -> None:
    with pytest.raises(CodecError, match=r"context.state\) cannot be kept: .* more than 64 bits"):
        pack_state(RecordDict({"a": ConfigRecord({"n": 1 << 70})}))
    with pytest.raises(CodecError, match=f"cannot be kept: it takes [0-9]+ bytes, of at most {MAX_STATE}"):
        pack_state(RecordDict({"a": array_record({"a": np.zeros(MAX_STATE + 1, np.uint8)})}))


def test_a_state_of_an_earlier_version_is_restored() -> None:
    header, buffers = encode_content(content({"w": np.arange(3.0)}))
    views = [raw(buffer) for buffer in buffers]
    lengths = json.dumps([view.nbytes for view in views]).encode()
    head = len(lengths).to_bytes(4, "big") + len(header).to_bytes(4, "big")
    state = unpack_state(b"".join([head, lengths, header, *views]))
    assert state == content({"w": np.arange(3.0)})
