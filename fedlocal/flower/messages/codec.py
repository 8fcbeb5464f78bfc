"""Messages as bytes: arrays out of band, JSON for the small rest, no pickles.

A content, that is a ``RecordDict``, becomes a header and a list of buffers. The header's first part is the
layout, which says which records there are, in order, and what each buffer holds. The second part holds the
values of metric and config records: in JSON, where Flower's protobuf takes five times as long, unless some
are bytes.

Whatever the bytes are, decoding gives a content or a `CodecError`; it unpickles nothing and allocates no more
than the bytes that are there warrant.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from fedlocal.actors import Buffer, Wire, raw, readable
from fedlocal.flower.compat.private import (
    CLIENT_APP_RAISED,
    ERROR_CODES,
    content_of,
    record_of,
    reply_to,
    request_from,
    small_records_from_bytes,
    small_records_to_bytes,
)
from fedlocal.flower.messages.arrays import twin
from fedlocal.flower.messages.layout import (
    CodecError,
    describe,
    layout_bytes,
    layout_of,
    parse_layout,
    restore,
)

MAX_STATE = 1 << 28  # bytes of a node's state

_STATE = struct.Struct("!II")
_JSON, _PROTOBUF = b"j", b"p"
_PLAIN = {int, float, bool, str}
_NUMBERS = {int, float}


def encode_content(content: RecordDict) -> tuple[bytes, list[Buffer]]:
    """Return a content as a header and the buffers of its arrays, which are not copied where contiguous."""
    buffers: list[Buffer] = []
    layout: list[tuple[str, Any]] = []
    small: dict[str, MetricRecord | ConfigRecord] = {}
    for name, record in content.items():
        if isinstance(record, ArrayRecord):
            layout.append((name, tuple([describe(key, array, buffers) for key, array in record.items()])))
        else:
            layout.append((name, None))
            small[name] = record
    return layout_bytes(tuple(layout)) + encode_small(small), buffers


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
        If the bytes do not parse or do not belong together, or an array claims more or fewer of them.
    """
    try:
        return _decoded(header, buffers)
    except CodecError:
        raise
    except Exception as error:  # parsers trip over bytes in many ways
        raise CodecError(f"the bytes do not parse: {type(error).__name__}: {error}") from error


def _decoded(header: bytes, buffers: Sequence[Buffer]) -> RecordDict:
    layout = layout_of(header)
    small = _decode_small(header[len(layout) :])
    remaining = iter(buffers)
    records: dict[str, ArrayRecord | MetricRecord | ConfigRecord] = {}
    for name, arrays in parse_layout(layout):
        if arrays is None:
            records[name] = small[name]
        else:
            restored = {array.key: restore(next(remaining), array) for array in arrays}
            records[name] = record_of(ArrayRecord, restored)
    if left := sum(1 for _ in remaining):
        raise CodecError(f"{left} buffers belong to no array")
    return content_of(records)


def _decode_small(data: bytes) -> dict[str, MetricRecord | ConfigRecord]:
    encoding, values = data[:1], data[1:]
    if encoding == _PROTOBUF:
        content = small_records_from_bytes(values)
        return {**content.metric_records, **content.config_records}
    if not data:
        return {}
    if encoding != _JSON:
        raise CodecError(f"small records are in JSON or protobuf, not in {encoding!r}")
    return {
        name: _metrics(values) if kind == "m" else _config(values)
        for name, (kind, values) in _DECODER.decode(values.decode()).items()
    }


def _bounded(digits: str) -> int:
    """Read an integer of at most 64 bits: larger numbers are beyond Flower's protobuf, some beyond floats."""
    if len(digits) > 20 or not -(1 << 63) <= int(digits) < 1 << 64:
        raise CodecError(f"an integer of {len(digits)} digits has more than 64 bits")
    return int(digits)


_DECODER = json.JSONDecoder(parse_int=_bounded)


def _metrics(values: dict[str, Any]) -> MetricRecord:
    if _NUMBERS.issuperset(map(type, values.values())):
        return record_of(MetricRecord, values)
    return MetricRecord(values)


def _config(values: dict[str, Any]) -> ConfigRecord:
    if _PLAIN.issuperset(map(type, values.values())):
        return record_of(ConfigRecord, values)
    return ConfigRecord(values)


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
    """Decodes the contents of requests: a content that many requests share is parsed once.

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


def encode_reply(reply: RecordDict | Error) -> Wire:
    """Return the content of a reply, or the error in its place, as a wire message."""
    if isinstance(reply, Error):
        return Wire(body=json.dumps([reply.code, reply.reason]).encode())
    header, buffers = encode_content(reply)
    return Wire(header, b"", buffers)


def decode_reply(wire: Wire, request: Message) -> Message:
    """Return the reply to `request`; its sender is who was asked, whatever the bytes say.

    Raises
    ------
    CodecError
        If the bytes are no reply.
    """
    if wire.body:
        return reply_to(request, None, _error(wire.body))
    return reply_to(request, decode_content(wire.header, wire.arrays))


def _error(body: bytes) -> Error:
    """Read an app's error; an error without a proper code counts as raised by the app."""
    try:
        code, reason = json.loads(body)
    except Exception as error:  # as in `decode_content`
        raise CodecError(f"an error reply does not parse: {type(error).__name__}: {error}") from error
    if type(code) is not int or code not in ERROR_CODES:
        code, reason = CLIENT_APP_RAISED, f"error {code!r}: {reason}"
    return Error(code, readable(str(reason or "")))


def pack_state(state: RecordDict) -> bytes:
    """Return a node's state as bytes; none for an empty one.

    Raises
    ------
    CodecError
        If the state is too large, or holds what `unpack_state` could not restore.
    """
    if not state:
        return b""
    try:
        header, views = _kept(state)
    except Exception as error:  # apps put anything into it
        raise CodecError(f"the client's state (context.state) cannot be kept: {error}") from error
    lengths = json.dumps([view.nbytes for view in views]).encode()
    return b"".join([_STATE.pack(len(lengths), len(header)), lengths, header, *views])


def _kept(state: RecordDict) -> tuple[bytes, list[memoryview]]:
    header, buffers = encode_content(state)
    views = [raw(buffer) for buffer in buffers]
    size = len(header) + sum(view.nbytes for view in views)
    if size > MAX_STATE:
        raise CodecError(f"it takes {size} bytes, of at most {MAX_STATE}")
    decode_content(header, views)
    return header, views


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
