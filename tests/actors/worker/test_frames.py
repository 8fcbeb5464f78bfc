"""Frames: exact round trips, and refusal of whatever is not one."""

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.actors.worker.frames import (
    MAGIC,
    PREFIX,
    Frame,
    FrameKind,
    FrameReader,
    ProtocolError,
    encode,
    frames,
)


def read(data: bytes, chunk: int = 1 << 16) -> list[Frame]:
    reader, frames = FrameReader(), []
    start = 0
    while start < len(data):
        wanted = reader.wanted
        piece = data[start : start + min(chunk, wanted.nbytes)]
        wanted[: len(piece)] = piece
        start += len(piece)
        if (frame := reader.received(len(piece))) is not None:
            frames.append(frame)
    return frames


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_frames_survive_any_way_of_cutting_the_stream(
    parts: list[bytes], chunk: int, generation: int
) -> None:
    data = b"".join(encode(FrameKind.REPLIES, generation, {"actor": 3}, parts)) * 2
    for frame in read(data, chunk):
        assert (frame.kind, frame.generation) == (FrameKind.REPLIES, generation)
        assert frame.fields["actor"] == 3
        assert [bytes(part) for part in frame.parts] == parts
    assert len(read(data, chunk)) == 2


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 300))
def test_frames_survive_however_the_bytes_arrive(parts: list[bytes], chunk: int) -> None:
    data, reader = b"".join(encode(FrameKind.REPLIES, 1, {"actor": 3}, parts)) * 3, FrameReader()
    frames = [
        frame for start in range(0, len(data), chunk) for frame in reader.feed(data[start : start + chunk])
    ]
    assert [[bytes(part) for part in frame.parts] for frame in frames] == [parts] * 3


def test_a_large_frame_crosses_a_socket() -> None:
    payload = bytes(range(256)) * (1 << 14)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        data = b"".join(encode(FrameKind.REPLIES, 1, parts=[payload]))
        sender = threading.Thread(target=ours.sendall, args=(data,))
        sender.start()
        frame, fd = next(frames(theirs))
        sender.join()
    assert bytes(frame.parts[0]) == payload
    assert fd == -1


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        ((b"oops", FrameKind.REPLIES, 1, 2, 0, 0), "magic"),
        ((MAGIC, 99, 1, 2, 0, 0), "kind 99"),
        ((MAGIC, FrameKind.REPLIES, 1, 2, 2**40, 0), "over the limit"),
        ((MAGIC, FrameKind.REPLIES, 1, 2**31, 0, 0), "over the limit"),
    ],
)
def test_bytes_that_are_no_frame_are_refused_before_any_allocation(
    prefix: tuple[object, ...], reason: str
) -> None:
    with pytest.raises(ProtocolError, match=reason):
        read(PREFIX.pack(*prefix))


def test_a_flipped_bit_is_refused() -> None:
    data = bytearray(b"".join(encode(FrameKind.REPLIES, 1, parts=[b"weights"])))
    data[-1] ^= 1
    with pytest.raises(ProtocolError, match="checksum"):
        read(bytes(data))
