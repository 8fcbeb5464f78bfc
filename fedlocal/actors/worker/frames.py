"""Frames: how messages are laid out on a worker's socket.

A frame is a fixed prefix, a JSON object (`fields`) and a payload of concatenated parts whose lengths stand in
``fields["parts"]``. Lengths are checked before anything is allocated, and a CRC-32 covers all behind the
prefix. No pickles: whatever a worker sends is data.
"""

import errno
import json
import math
import socket
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, islice
from typing import Any, NamedTuple

from fedlocal.memory.parts import Buffer, raw

PREFIX = struct.Struct("!4sBxxxIIQI")  # magic, kind, generation, fields length, payload length, crc
MAGIC = b"fdl2"
MAX_FIELDS = 1 << 24
MAX_ARRAYS = 1 << 19  # of one message or reply: the fields name the length of each, twice
MAX_PAYLOAD = 1 << 31  # unless its reader expects less
SMALL = 1 << 16  # bytes; a payload up to this size is put together before it is sent
FINE = 4096  # bytes; parts of this size on average, or smaller, are put together as well
MAX_BUFFERS = 512  # of one system call; POSIX systems take 1024 or a little less


class FrameKind(IntEnum):
    """What a frame is; those below 16 go to a worker, the others come from it."""

    SHARE = 1
    RELEASE = 2
    POOL = 3
    MESSAGES = 4
    STOP = 5
    ACK_WORD = 6
    READY = 16
    BROKEN = 17
    REPLIES = 18
    ERROR = 19
    ACKNOWLEDGE = 20
    LEAVING = 21


KINDS = frozenset(FrameKind)


class Addressed(NamedTuple):
    """One message of a frame of MESSAGES; its parts are its body and its actor's state.

    The state counts where the actor last ran elsewhere; a worker knows those of the actors it last ran.
    """

    message: int
    actor: int
    content: int
    slot: int
    with_state: bool


class Handled(NamedTuple):
    """One reply of a frame of REPLIES; its parts are header, body, new state, and arrays not in a slot."""

    message: int
    started: float
    ended: float
    lengths: list[int]
    in_slot: bool
    state_changed: bool


class ProtocolError(ValueError):
    """The bytes on the socket are not a frame of this protocol."""


@dataclass(frozen=True)
class Frame:
    """One decoded frame; `parts` are views of one buffer that belongs to this frame alone."""

    kind: FrameKind
    generation: int
    fields: dict[str, Any]
    parts: tuple[memoryview, ...]


def encode(
    kind: FrameKind,
    generation: int,
    fields: dict[str, Any] | None = None,
    parts: Sequence[Buffer] = (),
) -> list[memoryview]:
    """Lay out a frame as buffers for one gathering write; large `parts` are not copied."""
    views = [raw(part) for part in parts]
    lengths = [view.nbytes for view in views]
    size = sum(lengths)
    if size < SMALL or size < len(views) * FINE:
        views = [memoryview(b"".join(views))]  # one buffer is cheaper than many
    described = json.dumps({**(fields or {}), "parts": lengths}).encode()
    crc = zlib.crc32(described)
    for view in views:
        crc = zlib.crc32(view, crc)
    prefix = PREFIX.pack(MAGIC, kind, generation, len(described), size, crc)
    return [memoryview(prefix + described), *(view for view in views if view.nbytes)]


class FrameReader:
    """Puts frames together from bytes as they come; never blocks, never allocates an unchecked length."""

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self._max_payload = max_payload
        self._expect(PREFIX.size)

    def _expect(self, size: int, prefix: tuple[Any, ...] | None = None) -> None:
        self._prefix, self._buffer = prefix, bytearray(size)
        self.wanted = memoryview(self._buffer)  # where the next bytes go

    def received(self, count: int) -> Frame | None:
        """Take note of `count` bytes written to `wanted`; return the frame they complete, if any.

        Raises
        ------
        ProtocolError
            If they are not a frame: wrong magic, kind or checksum, or a length over the limit.
        """
        self.wanted = self.wanted[count:]
        if self.wanted.nbytes:
            return None
        if self._prefix is None:
            prefix = PREFIX.unpack(self._buffer)
            self._check(*prefix)
            self._expect(prefix[3] + prefix[4], prefix)
            if self._buffer:
                return None
        frame = _frame(self._buffer, *(self._prefix or ()))
        self._expect(PREFIX.size)
        return frame

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes that have been read already; yield the frames they complete, until one is not valid."""
        view = memoryview(data)
        while view.nbytes:
            count = min(self.wanted.nbytes, view.nbytes)
            self.wanted[:count] = view[:count]
            view = view[count:]
            if (frame := self.received(count)) is not None:
                yield frame

    def _check(self, magic: bytes, kind: int, _generation: int, fields: int, payload: int, _crc: int) -> None:
        if magic != MAGIC or kind not in KINDS:
            raise ProtocolError(f"not a frame: magic {magic!r}, kind {kind}")
        if fields > MAX_FIELDS:
            raise ProtocolError(f"frame with {fields} bytes of fields is over the limit of {MAX_FIELDS}")
        if payload > self._max_payload:
            raise ProtocolError(f"frame of {payload} bytes is over the limit of {self._max_payload}")


def _frame(
    buffer: bytearray, _magic: bytes, kind: int, generation: int, length: int, _size: int, crc: int
) -> Frame:
    if zlib.crc32(buffer) != crc:
        raise ProtocolError("checksum differs")
    try:
        fields = json.loads(buffer[:length].decode())
        sizes = [int(size) for size in fields["parts"]]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ProtocolError(f"its fields do not parse: {error!r}") from error
    if min(sizes, default=0) < 0 or sum(sizes) != len(buffer) - length:
        raise ProtocolError(f"parts of {sizes} bytes are not its payload")
    view, ends = memoryview(buffer)[length:], accumulate(sizes)
    parts = tuple([view[end - size : end] for size, end in zip(sizes, ends, strict=True)])
    return Frame(FrameKind(kind), generation, fields, parts)


def replies_of(frame: Frame) -> list[tuple[Handled, list[memoryview]]]:
    """Return the replies in a frame, each with its header, its body, its new state, and its arrays.

    Raises
    ------
    ProtocolError
        If they are not replies.
    """
    parts, replies = iter(frame.parts), []
    try:
        for fields in frame.fields["replies"]:
            handled = Handled(*fields)
            count = 3 if handled.in_slot else 3 + len(handled.lengths)
            reply_parts = list(islice(parts, count))
            if len(reply_parts) < count or not _is_possible(handled, reply_parts[3:]):
                raise ProtocolError(f"{handled} is not what came with it")
            replies.append((handled, reply_parts))
    except (KeyError, TypeError, OverflowError) as error:
        raise ProtocolError(f"not replies: {error}") from error
    return replies


def _is_possible(handled: Handled, arrays: Sequence[memoryview]) -> bool:
    whole = (type(handled.message), *map(type, handled.lengths))
    if any(kind is not int for kind in whole) or min(handled.lengths, default=0) < 0:
        return False
    if not (math.isfinite(handled.started) and math.isfinite(handled.ended)):
        return False
    return handled.in_slot or [array.nbytes for array in arrays] == handled.lengths


def send(sock: socket.socket, buffers: Sequence[memoryview], fd: int = -1) -> list[memoryview]:
    """Send what one system call takes of a frame, and a descriptor with its first byte; return the rest.

    One call wakes the other side once: with a call per buffer it would wake to find half a frame.
    """
    rest, now = list(buffers), buffers[:MAX_BUFFERS]
    if fd >= 0:
        sent = socket.send_fds(sock, now, [fd])
    elif hasattr(sock, "sendmsg"):
        sent = sock.sendmsg(now)
    else:
        sent = sock.send(now[0])
    while rest and sent >= rest[0].nbytes:
        sent -= rest.pop(0).nbytes
    if rest and sent:
        rest[0] = rest[0][sent:]
    return rest


def frames(sock: socket.socket) -> Iterator[tuple[Frame, int]]:
    """Yield frames from a blocking socket until it is closed, each with the descriptor it brought or -1.

    Of any size: they are from the supervisor, which has its limits.
    """
    reader, brought = FrameReader(sys.maxsize), -1
    can_bring = hasattr(sock, "recvmsg") and hasattr(socket, "SCM_RIGHTS")
    while True:
        if can_bring:
            count, brought_now = _receive(sock, reader.wanted)
            brought = brought if brought_now < 0 else brought_now
        else:
            count = sock.recv_into(reader.wanted)
        if count == 0:
            return
        if (frame := reader.received(count)) is not None:
            yield frame, brought
            brought = -1


def _receive(sock: socket.socket, into: memoryview) -> tuple[int, int]:
    count, ancillary, flags, _ = sock.recvmsg_into([into], socket.CMSG_LEN(struct.calcsize("i")))
    if flags & socket.MSG_CTRUNC:
        raise OSError(errno.EMFILE, "a descriptor was sent, and this process may not have one more")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            return count, int(struct.unpack("i", data[:4])[0])
    return count, -1
