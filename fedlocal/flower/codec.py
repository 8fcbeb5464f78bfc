"""Messages as bytes: arrays out of band, JSON for the small rest, no pickles.

A content, that is a ``RecordDict``, becomes a header and a list of buffers. The header is the length of its
first part, that part, and the second. The first says which records there are, in order, and what each buffer
holds: it is the same for all clients of a run, and parsed once. The second holds the values of metric and
config records: in JSON, where Flower's protobuf takes five times as long, unless some are bytes.
"""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from fedlocal.actors import Buffer, Wire, raw
from fedlocal.flower.arrays import LocalArray, twin, unwrapped
from fedlocal.flower.private import (
    content_of,
    record_of,
    reply_to,
    request_from,
    small_records_from_bytes,
    small_records_to_bytes,
)

_LENGTH = struct.Struct("!I")
_STATE = struct.Struct("!II")
_JSON, _PROTOBUF = b"j", b"p"
_PLAIN = {int, float, bool, str}
_NUMBERS = {int, float}


class CodecError(ValueError):
    """Bytes that should hold a message do not."""


class _Described(NamedTuple):
    key: str
    dtype: str
    shape: tuple[int, ...]
    stype: str | None  # of an array of Flower's own, whose bytes are left as they are
    kind: np.dtype[Any]
    nbytes: int


_Layout = tuple[tuple[str, tuple[_Described, ...] | None], ...]  # records by name; None has no arrays


def encode_content(content: RecordDict) -> tuple[bytes, list[Buffer]]:
    """Return a content as a header and the buffers of its arrays, which are not copied where contiguous."""
    buffers: list[Buffer] = []
    layout: list[tuple[str, Any]] = []
    small: dict[str, MetricRecord | ConfigRecord] = {}
    for name, record in content.items():
        if isinstance(record, ArrayRecord):
            layout.append((name, tuple([_describe(key, array, buffers) for key, array in record.items()])))
        else:
            layout.append((name, None))
            small[name] = record
    return _layout_bytes(tuple(layout)) + encode_small(small), buffers


def _describe(key: str, array: Array, buffers: list[Buffer]) -> tuple[str, str, tuple[int, ...], str | None]:
    values = unwrapped(array)
    if values is not None:
        contiguous = values if values.flags.c_contiguous else np.ascontiguousarray(values)
        buffers.append(contiguous.reshape(-1).view(np.uint8))
        return key, values.dtype.str, values.shape, None
    buffers.append(array.data)
    return key, array.dtype, tuple(array.shape), array.stype


@lru_cache(maxsize=64)
def _layout_bytes(layout: tuple[tuple[str, Any], ...]) -> bytes:
    described = json.dumps(layout).encode()
    return _LENGTH.pack(len(described)) + described


def layout_of(header: bytes) -> bytes:
    """Return the first part of a header; contents that differ in numbers alone have it in common."""
    return header[: _LENGTH.size + _LENGTH.unpack_from(header)[0]]


def encode_small(records: Mapping[str, MetricRecord | ConfigRecord]) -> bytes:
    """Return the second part of a header: the values of metric and config records."""
    values = {
        name: ("m" if isinstance(record, MetricRecord) else "c", dict(record))
        for name, record in records.items()
    }
    try:
        return _JSON + json.dumps(values).encode()
    except TypeError:
        return _PROTOBUF + small_records_to_bytes(dict(records))


def decode_content(header: bytes, buffers: Sequence[Buffer]) -> RecordDict:
    """Undo `encode_content`; arrays are views of the buffers.

    Raises
    ------
    CodecError
        If header and buffers do not belong together, or an array claims other than its bytes.
    """
    layout = layout_of(header)
    small = _decode_small(header[len(layout) :])
    remaining = iter(buffers)
    records: dict[str, ArrayRecord | MetricRecord | ConfigRecord] = {}
    for name, arrays in _layout(layout[_LENGTH.size :]):
        if arrays is None:
            records[name] = small[name]
        else:
            restored = {one.key: _restore(next(remaining, b""), one) for one in arrays}
            records[name] = record_of(ArrayRecord, restored)
    return content_of(records)


@lru_cache(maxsize=64)
def _layout(described: bytes) -> _Layout:
    return tuple(
        (str(name), None if arrays is None else tuple(_described(*array) for array in arrays))
        for name, arrays in json.loads(described)
    )


def _described(key: str, dtype: str, shape: Sequence[int], stype: str | None) -> _Described:
    kind = np.dtype("u1" if stype is not None else dtype)
    if kind.hasobject:
        raise CodecError(f"array {key!r} claims to hold objects, which do not travel")
    return _Described(str(key), dtype, tuple(shape), stype, kind, kind.itemsize * math.prod(shape))


def _decode_small(data: bytes) -> dict[str, Any]:
    if data[:1] == _PROTOBUF:
        return dict(small_records_from_bytes(data[1:]))
    return {
        name: _metrics(values) if kind == "m" else _config(values)
        for name, (kind, values) in json.loads(data[1:] or b"{}").items()
    }


def _metrics(values: dict[str, Any]) -> MetricRecord:
    if _NUMBERS.issuperset(map(type, values.values())):
        return record_of(MetricRecord, values)
    return MetricRecord(values)


def _config(values: dict[str, Any]) -> ConfigRecord:
    if _PLAIN.issuperset(map(type, values.values())):
        return record_of(ConfigRecord, values)
    return ConfigRecord(values)


def _restore(buffer: Buffer, described: _Described) -> Array:
    _, dtype, shape, stype, kind, nbytes = described
    if stype is not None:
        return Array(dtype=dtype, shape=shape, stype=stype, data=bytes(buffer))
    if len(buffer) != nbytes:
        raise CodecError(f"an array of {len(buffer)} bytes claims dtype {dtype} and shape {shape}")
    return LocalArray(np.ndarray(shape, kind, buffer if nbytes else b""))


def encode_request(request: Message) -> bytes:
    """Return what belongs to one request alone: the metadata that its receiver cannot know."""
    metadata = request.metadata
    fields = (
        metadata.message_id,
        metadata.dst_node_id,
        metadata.group_id,
        metadata.created_at,
        metadata.ttl,
        metadata.message_type,
    )
    return json.dumps(fields).encode()


def decode_request(body: bytes, content: RecordDict) -> Message:
    """Return the request with this body and content."""
    message_id, node, group_id, created_at, ttl, message_type = json.loads(body)
    return request_from(
        content,
        message_id=message_id,
        dst_node_id=node,
        group_id=group_id,
        created_at=created_at,
        ttl=ttl,
        message_type=message_type,
    )


def is_of_type(body: bytes, message_type: str) -> bool:
    """Tell whether the request with this body is of a type, without parsing it: the type stands last."""
    return body.endswith(f'"{message_type}"]'.encode())


class Contents:
    """Decodes the contents of requests: one that many requests share is parsed once.

    Each request has records and arrays of its own; only the memory behind the arrays, which nobody can write
    to, is the same.
    """

    def __init__(self) -> None:
        self._last: tuple[Wire, RecordDict] = Wire(), content_of({})

    def decode(self, wire: Wire) -> RecordDict:
        """Return the content of a wire message."""
        last, content = self._last
        if wire.header != last.header or wire.arrays is not last.arrays:
            content = decode_content(wire.header, wire.arrays)
            self._last = wire, content
        return content_of({name: _copy(record) for name, record in content.items()})


def _copy(record: ArrayRecord | MetricRecord | ConfigRecord) -> ArrayRecord | MetricRecord | ConfigRecord:
    if isinstance(record, ArrayRecord):
        return record_of(ArrayRecord, {key: twin(array) for key, array in record.items()})
    return record.copy()


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
        return reply_to(request, None, Error(int(code), str(reason)))
    return reply_to(request, decode_content(wire.header, wire.arrays))


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
