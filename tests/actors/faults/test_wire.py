"""What a worker may say wrong: cases 24 to 31 of the catalogue of faults."""

import json
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlocal.actors import ActorSystemError, Envelope, Failure, Reply, raw
from fedlocal.actors.worker.frames import (
    MAGIC,
    MAX_FIELDS,
    PREFIX,
    Frame,
    FrameKind,
    FrameReader,
    ProtocolError,
    encode,
    replies_of,
)
from tests.actors.behaviours import Echo
from tests.actors.faults.misbehaviour import SAYINGS, Wild, order, speaking
from tests.actors.faults.trial import PATIENCE, Open, bodies, everywhere

CASES = {
    "garbage": 24, "text": 24, "magic": 24, "version": 24, "length": 25, "crc": 27, "generation": 29,
    "kind": 30, "direction": 30, "ready": 30, "acknowledged twice": 30, "acknowledged -5": 30,
    "acknowledged 1e30": 30, "acknowledged inf": 30, "no reply": 24, "parts": 24, "time": 24, "slot": 25,
    "error": 24,
}  # fmt: skip


def test_the_catalogue_of_bad_sayings_is_complete() -> None:
    assert set(CASES) == set(SAYINGS)


@pytest.mark.parametrize(
    ("what", "case"), CASES.items(), ids=[f"{case}-{what}" for what, case in CASES.items()]
)
def test_24_25_27_29_30_a_worker_that_breaks_the_protocol_is_replaced_and_its_message_tried_again(
    open_trial: Open, tmp_path: Path, what: str, case: int
) -> None:
    trial = open_trial(Wild)
    results = trial.ask([Envelope(0, order(f"say:{what}", tmp_path / "once")), *[Envelope(1)] * 3])
    assert bodies(results) == [b"1", b"1", b"2", b"3"]
    assert trial.causes == ["protocol"]
    assert trial.close().failed == 0


@everywhere
def test_24_a_message_that_makes_each_worker_talk_garbage_fails_and_spares_its_neighbours(
    open_trial: Open,
) -> None:
    trial = open_trial(Wild)
    failed, *fine = trial.ask([Envelope(0, order("say:garbage")), *[Envelope(1)] * 5])
    assert isinstance(failed, Failure)
    assert failed.cause == "crash"
    assert "broke the protocol: not a frame" in failed.reason
    assert len(bodies(fine)) == 5
    assert trial.causes == ["protocol"] * 2


def test_26_a_reply_over_the_limit_is_its_messages_error(open_trial: Open) -> None:
    trial = open_trial(Wild, max_message=1 << 16)
    failed, fine = trial.ask([Envelope(0, order(f"reply_with:{1 << 20}")), Envelope(1)])
    assert isinstance(failed, Failure)
    assert failed.cause == "exception"
    assert "at most 65536 travel" in failed.reason
    assert bodies([fine]) == [b"1"]
    assert trial.causes == []


@everywhere
def test_28_a_second_reply_to_the_same_message_is_dropped_and_counted(open_trial: Open) -> None:
    trial = open_trial(Wild, workers=1)
    assert bodies(trial.ask([Envelope(0, order("then:twice"))])) == [b"1"]
    assert bodies(trial.ask([Envelope(0), Envelope(1)])) == [b"2", b"1"]
    summary = trial.close()
    assert (summary.replied, summary.stale, trial.causes) == (3, 3, [])


@everywhere
def test_29_a_reply_to_another_message_is_dropped_and_counted(open_trial: Open) -> None:
    trial = open_trial(Wild)
    assert bodies(trial.ask([Envelope(0), Envelope(0, order("stale:1"))])) == [b"1", b"2"]  # of the past
    assert bodies(trial.ask([Envelope(1, order("stale:900")), Envelope(0)])) == [b"1", b"3"]  # never posted
    summary = trial.close()
    assert (summary.stale, trial.causes) == (2, [])


@everywhere
def test_29_a_reply_to_a_message_that_another_worker_holds_is_dropped(
    open_trial: Open, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    trial = open_trial(Wild)
    held = trial.system.post([Envelope(0, order(f"wait_for:{gate}"))])
    assert bodies([trial.ask_actor(1, order("stale:1"))]) == [b"1"]
    assert not held.done
    gate.touch()
    assert held.wait(PATIENCE)
    assert bodies(held.results()) == [b"1"]
    assert trial.close().stale == 1


def test_30_a_worker_that_replies_before_it_is_ready_is_tried_again(open_trial: Open, tmp_path: Path) -> None:
    trial = open_trial(speaking("parts", tmp_path / "once"))
    assert bodies(trial.ask([Envelope(0), Envelope(1)])) == [b"1", b"1"]
    assert trial.causes == ["protocol"]
    with pytest.raises(ActorSystemError, match="broke the protocol"):
        open_trial(speaking("crc"))


@everywhere
@pytest.mark.parametrize("size", [0, 1, 1 << 20, pytest.param(64 << 20, marks=pytest.mark.slow, id="64MiB")])
def test_31_messages_of_any_size_make_an_exact_round_trip(open_trial: Open, size: int) -> None:
    trial = open_trial(Echo)
    sent = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    content = trial.system.share(sent[:100], [sent])
    for result in trial.ask([Envelope(0, sent, content, reply_bytes=size)]):
        assert isinstance(result, Reply)
        assert (result.wire.header, result.wire.body) == (sent[:100], sent)
        assert [raw(array) for array in result.wire.arrays] == [sent]
    trial.system.release(content)


@everywhere
def test_31_a_reply_that_comes_byte_by_byte_is_a_reply(open_trial: Open) -> None:
    trial = open_trial(Wild)
    assert bodies([trial.ask_actor(0, order("then:byte by byte")), trial.ask_actor(0)]) == [b"1", b"2"]
    assert trial.causes == []


# What bytes alone can do

LIMIT = 1 << 16
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["replies", "parts"]),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
numbers = st.integers(-3, 300) | st.just(10**400) | st.floats() | st.booleans() | json_values
nearly_replies = st.lists(
    st.tuples(numbers, numbers, numbers, st.lists(numbers, max_size=3) | json_values, numbers, numbers),
    max_size=3,
)


def _framed(described: bytes, payload: bytes, kind: int = FrameKind.REPLIES) -> bytes:
    crc = zlib.crc32(described + payload)
    return PREFIX.pack(MAGIC, kind, 1, len(described), len(payload), crc) + described + payload


def _decoded(data: bytes) -> list[Frame]:
    return list(FrameReader(LIMIT).feed(data))


@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda data: MAGIC + data))
def test_24_arbitrary_bytes_are_refused_or_awaited_and_nothing_else(data: bytes) -> None:
    with suppress(ProtocolError):
        assert _decoded(data) == []


@settings(max_examples=50)
@given(
    st.binary(max_size=100) | json_values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=50),
)
def test_24_arbitrary_fields_under_a_right_checksum_are_a_frame_or_refused(
    described: bytes, payload: bytes
) -> None:
    try:
        frames = _decoded(_framed(described, payload))
    except ProtocolError:
        return
    for frame in frames:
        assert sum(part.nbytes for part in frame.parts) == len(payload)


@settings(max_examples=50)
@given(nearly_replies | json_values, st.lists(st.binary(max_size=9), max_size=8))
def test_24_whatever_stands_for_replies_is_replies_or_refused(replies: object, parts: list[bytes]) -> None:
    data = b"".join(encode(FrameKind.REPLIES, 1, {"replies": replies}, parts))
    try:
        pairs = [pair for frame in _decoded(data) for pair in replies_of(frame)]
    except ProtocolError:
        return
    for handled, reply_parts in pairs:
        assert type(handled.message) is int
        assert handled.in_slot or [part.nbytes for part in reply_parts[3:]] == handled.lengths


def test_24_a_frame_before_garbage_is_read() -> None:
    data = b"".join(encode(FrameKind.ACKNOWLEDGE, 1, {"message": 1, "count": 1}))
    heard = FrameReader(LIMIT).feed(data + b"garbage" * 10)
    assert next(heard).kind is FrameKind.ACKNOWLEDGE
    with pytest.raises(ProtocolError, match="not a frame"):
        next(heard)


@pytest.mark.parametrize("opening", [b"[", b'{"parts":', b'{"parts":[' + b"["])
def test_24_fields_nested_too_deep_are_refused(opening: bytes) -> None:
    with pytest.raises(ProtocolError, match="do not parse"):
        _decoded(_framed(opening * (MAX_FIELDS // len(opening)), b""))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_25_no_length_makes_a_reader_allocate_more_than_its_limit(fields: int, payload: int) -> None:
    reader = FrameReader(LIMIT)
    tracemalloc.start()
    try:
        list(reader.feed(PREFIX.pack(MAGIC, FrameKind.REPLIES, 1, fields, payload, 0)))
    except ProtocolError:
        assert fields > MAX_FIELDS or payload > LIMIT or fields == 0
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak <= MAX_FIELDS + LIMIT + 65536
