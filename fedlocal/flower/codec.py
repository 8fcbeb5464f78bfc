"""Messages as bytes: arrays out of band, Flower's protobuf for the small rest, no pickles.

A content, that is a ``RecordDict``, becomes a header and a list of buffers. The header is a JSON object
(which records there are, in order, and what each buffer holds) behind its length, then the protobuf of the
metric and config records.
"""

import json
import math
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from flwr.app import Array, ArrayRecord, Error, Message, RecordDict
from numpy.typing import NDArray

from fedlocal.actors import Buffer, Wire, raw
from fedlocal.flower.arrays import LocalArray
from fedlocal.flower.private import (
    AcyclicRecordDict,
    message_from,
    metadata_fields,
    small_records_from_bytes,
    small_records_to_bytes,
)

_LENGTH = struct.Struct("!I")
_STATE = struct.Struct("!II")


class CodecError(ValueError):
    """Bytes that should hold a message do not."""


def encode_content(content: RecordDict) -> tuple[bytes, list[Buffer]]:
    """Return a content as a header and the buffers of its arrays, which are not copied where contiguous."""
    buffers: list[Buffer] = []
    layout: dict[str, Any] = {}
    small = {}
    for name, record in content.items():
        if isinstance(record, ArrayRecord):
            layout[name] = [[key, *_describe(array, buffers)] for key, array in record.items()]
        else:
            layout[name] = None
            small[name] = record
    described = json.dumps(layout).encode()
    return _LENGTH.pack(len(described)) + described + small_records_to_bytes(small), buffers


def _describe(array: Array, buffers: list[Buffer]) -> tuple[str, Sequence[int], str | None]:
    if isinstance(array, LocalArray):
        buffers.append(np.ascontiguousarray(array.ndarray).reshape(-1).view(np.uint8))
        return array.ndarray.dtype.str, array.ndarray.shape, None
    buffers.append(array.data)
    return array.dtype, array.shape, array.stype


def decode_content(header: bytes, buffers: Sequence[Buffer]) -> RecordDict:
    """Undo `encode_content`; arrays are views of the buffers.

    Raises
    ------
    CodecError
        If header and buffers do not belong together, or an array claims other than its bytes.
    """
    end = _LENGTH.size + _LENGTH.unpack_from(header)[0]
    small = small_records_from_bytes(header[end:])
    remaining = iter(buffers)
    content = AcyclicRecordDict()
    for name, arrays in _layout(header[_LENGTH.size : end]):
        if arrays is None:
            content[name] = small[name]
            continue
        record = ArrayRecord()
        for described in arrays:
            record[described.key] = _restore(next(remaining, b""), described)
        content[name] = record
    return content


class _Described(NamedTuple):
    key: str
    dtype: str
    shape: tuple[int, ...]
    stype: str | None


@lru_cache(maxsize=64)  # the clients of a run all send the same
def _layout(described: bytes) -> list[tuple[str, list[_Described] | None]]:
    return [
        (
            name,
            arrays and [_Described(key, dtype, tuple(shape), stype) for key, dtype, shape, stype in arrays],
        )
        for name, arrays in json.loads(described).items()
    ]


def _restore(buffer: Buffer, described: _Described) -> Array:
    _, dtype, shape, stype = described
    if stype is not None:
        return Array(dtype=dtype, shape=shape, stype=stype, data=bytes(buffer))
    kind = np.dtype(dtype)
    size = raw(buffer).nbytes
    if kind.hasobject or size != kind.itemsize * math.prod(shape):
        raise CodecError(f"an array of {size} bytes claims dtype {dtype} and shape {shape}")
    flat: NDArray[Any] = np.frombuffer(buffer, dtype=kind)
    return LocalArray(flat.reshape(shape))


def encode_request(request: Message) -> bytes:
    """Return what belongs to one request alone: its metadata."""
    return json.dumps(metadata_fields(request)).encode()


def decode_request(wire: Wire) -> Message:
    """Return the request of a wire message."""
    return message_from(decode_content(wire.header, wire.arrays), json.loads(wire.body))


def encode_reply(reply: Message) -> Wire:
    """Return a reply, or the error that stands for it, as a wire message."""
    if reply.has_error():
        return Wire(body=json.dumps([reply.error.code, reply.error.reason]).encode())
    header, buffers = encode_content(reply.content)
    return Wire(header, b"", buffers)


def decode_reply(wire: Wire, request: Message) -> Message:
    """Return the reply to `request`; whom it is from is known from whom was asked, not from what it says."""
    if wire.body:
        code, reason = json.loads(wire.body)
        return Message(Error(int(code), str(reason)), reply_to=request)
    return Message(decode_content(wire.header, wire.arrays), reply_to=request)


def pack_state(state: RecordDict) -> bytes:
    """Return a node's state as bytes; none for an empty one."""
    if not state:
        return b""
    header, buffers = encode_content(state)
    views = [raw(buffer) for buffer in buffers]
    lengths = json.dumps([view.nbytes for view in views]).encode()
    return b"".join([_STATE.pack(len(lengths), len(header)), lengths, header, *views])


def unpack_state(data: bytes) -> RecordDict:
    """Undo `pack_state`."""
    if not data:
        return RecordDict()
    first, second = _STATE.unpack_from(data)
    view = memoryview(data)[_STATE.size :]
    lengths, header = json.loads(bytes(view[:first])), bytes(view[first : first + second])
    buffers, start = [], first + second
    for length in lengths:
        buffers.append(view[start : start + length])
        start += length
    return decode_content(header, buffers)
