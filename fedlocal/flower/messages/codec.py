"""Messages as bytes: arrays out of band, JSON for the small rest, no pickles.

A content, that is a ``RecordDict``, becomes a header and a list of buffers. The header's first part, with its
length before it, is the layout: which records there are, in order, and what each buffer holds. It is the same
for all clients of a run, and parsed once. The second part holds the values of metric and config records: in
JSON, where Flower's protobuf takes five times as long, unless some are bytes.

Whatever the bytes are, decoding gives a content or a `CodecError`; it unpickles nothing, and what a layout
claims is checked against the bytes that are there before an array is made of them.
"""

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from fedlocal.actors import Buffer, Wire, readable
from fedlocal.flower.compat.private import (
    CLIENT_APP_RAISED,
    ERROR_CODES,
    NUMPY,
    content_of,
    record_of,
    reply_to,
    request_from,
    small_records_from_bytes,
    small_records_to_bytes,
)
from fedlocal.flower.messages.arrays import LocalArray, travelling, unwrapped
from fedlocal.memory.parts import cut, join

MAX_STATE = 1 << 28  # bytes of a node's state
KEPT = 1 << 16  # bytes; longer layouts are not cached, for a client may send any number of them

_LENGTH = struct.Struct("!I")
_DTYPE = re.compile(r"[<>|][biufcSUmM][0-9]{1,9}(\[[0-9]*[a-zA-Z]+\])?")  # as in ``ndarray.dtype.str``
_JSON, _PROTOBUF = b"j", b"p"
_KINDS: dict[str, tuple[Any, set[type]]] = {
    "m": (MetricRecord, {int, float}),  # and the types that need no check of Flower's
    "c": (ConfigRecord, {int, float, bool, str}),
}

Record = ArrayRecord | MetricRecord | ConfigRecord


class CodecError(ValueError):
    """Bytes that should hold a message do not, or a message cannot be bytes."""


class ArrayLayout(NamedTuple):
    """What a buffer holds: an ndarray's values, or the data of an array of another kind than NumPy's."""

    key: str
    fields: dict[str, Any]  # dtype, shape and stype, as Flower's array has them
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None  # None: of another kind
    nbytes: int
    order: Literal["C", "F"] = "C"


# Contents ----------------------------------------------------------------------------------------------


def encode_content(content: RecordDict) -> tuple[bytes, list[Buffer]]:
    """Return a content as a header and the buffers of its arrays, which are not copied where contiguous.

    Raises
    ------
    CodecError
        If the bytes of an array are not what they claim to be.
    """
    buffers: list[Buffer] = []
    layout: list[tuple[str, Any]] = []
    small: dict[str, MetricRecord | ConfigRecord] = {}
    for name, record in content.items():
        if isinstance(record, ArrayRecord):
            layout.append((name, tuple([_describe(key, array, buffers) for key, array in record.items()])))
        else:
            layout.append((name, None))
            small[name] = record
    return _layout_bytes(tuple(layout)) + _encode_small(small), buffers


def _describe(key: str, array: Array, buffers: list[Buffer]) -> tuple[Any, ...]:
    """Return what a layout says of an array, and add its bytes to the buffers.

    The order of Fortran stays, as in ``.npy`` files: libraries compute other last bits with it.
    """
    try:
        values = array.ndarray if isinstance(array, LocalArray) else unwrapped(array)
    except ValueError as error:
        raise CodecError(f"array {key!r}: {error}") from error
    if values is None:
        buffers.append(array.data)
        return key, array.dtype, tuple(array.shape), array.stype
    if values.flags.fnc:
        buffers.append(values.T.reshape(-1).view(np.uint8))
        return key, values.dtype.str, values.shape, None, "F"
    buffers.append(np.ascontiguousarray(values).reshape(-1).view(np.uint8))
    return key, values.dtype.str, values.shape, None


@lru_cache(maxsize=64)
def _layout_bytes(layout: tuple[tuple[str, Any], ...]) -> bytes:
    described = json.dumps(layout).encode()
    return _LENGTH.pack(len(described)) + described


def _encode_small(records: Mapping[str, MetricRecord | ConfigRecord]) -> bytes:
    values = {
        name: ("m" if isinstance(record, MetricRecord) else "c", dict(record.items()))
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
        end = _LENGTH.size + _LENGTH.unpack_from(header)[0]
        parse = _parsed if end <= KEPT else _parsed.__wrapped__
        small, remaining = _decode_small(header[end:]), iter(buffers)
        records = {
            name: small[name]
            if arrays is None
            else record_of(ArrayRecord, {array.key: _restore(next(remaining), array) for array in arrays})
            for name, arrays in parse(header[_LENGTH.size : end])
        }
    except CodecError:
        raise
    except Exception as error:  # parsers trip over bytes in many ways
        raise CodecError(f"the bytes do not parse: {type(error).__name__}: {error}") from error
    if left := sum(1 for _ in remaining):
        raise CodecError(f"{left} buffers belong to no array")
    return content_of(records)


@lru_cache(maxsize=64)
def _parsed(described: bytes) -> tuple[tuple[str, tuple[ArrayLayout, ...] | None], ...]:
    """Return the records of a layout by name; None has no arrays."""
    return tuple(
        (str(name), None if arrays is None else tuple(_array_layout(*array) for array in arrays))
        for name, arrays in json.loads(described)
    )


def _array_layout(
    key: str, dtype: str, shape: Sequence[int], stype: str | None, order: Literal["C", "F"] = "C"
) -> ArrayLayout:
    if order not in ("C", "F"):
        raise CodecError(f"array {key!r} claims order {order!r}")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise CodecError(f"array {key!r} claims shape {shape}")
    if stype is not None:
        if stype == NUMPY:
            raise CodecError(f"array {key!r} claims to be a file of NumPy's, of which only the values travel")
        fields = {"dtype": str(dtype), "shape": tuple(shape), "stype": str(stype)}
        return ArrayLayout(str(key), fields, tuple(shape), None, 0)
    if not _DTYPE.fullmatch(dtype):
        raise CodecError(f"array {key!r} claims dtype {dtype!r}")
    kind = travelling(np.dtype(dtype))
    fields = {"dtype": str(kind), "shape": tuple(shape), "stype": NUMPY}
    return ArrayLayout(str(key), fields, tuple(shape), kind, kind.itemsize * math.prod(shape), order)


def _restore(buffer: Buffer, described: ArrayLayout) -> Array:
    _, fields, shape, dtype, nbytes, order = described
    if dtype is None:
        return Array(**fields, data=bytes(buffer))
    if len(buffer) != nbytes:
        raise CodecError(f"an array of {len(buffer)} bytes claims dtype {dtype} and shape {shape}")
    array = Array.__new__(LocalArray)  # it has been checked with its layout, once
    array.__dict__.update(fields, ndarray=np.ndarray(shape, dtype, buffer if nbytes else b"", order=order))
    return array


def _decode_small(data: bytes) -> dict[str, Record]:
    encoding, values = data[:1], data[1:]
    if encoding == _PROTOBUF:
        return dict(small_records_from_bytes(values))
    if not data:
        return {}
    if encoding != _JSON:
        raise CodecError(f"small records are in JSON or protobuf, not in {encoding!r}")
    records: dict[str, Record] = {}
    for name, (letter, numbers) in _DECODER.decode(values.decode()).items():
        kind, plain = _KINDS[letter]
        checked = plain.issuperset(map(type, numbers.values()))
        records[name] = record_of(kind, numbers) if checked else kind(numbers)
    return records


def _bounded(digits: str) -> int:
    """Read an integer of at most 64 bits: larger numbers are beyond Flower's protobuf, some beyond floats."""
    if len(digits) > 20 or not -(1 << 63) <= int(digits) < 1 << 64:
        raise CodecError(f"an integer of {len(digits)} digits has more than 64 bits")
    return int(digits)


_DECODER = json.JSONDecoder(parse_int=_bounded)


# Requests and replies ----------------------------------------------------------------------------------


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


def message_id_of(body: bytes) -> str:
    """Return the identifier of the request with this body."""
    return str(json.loads(body)[0])


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


def _copy(record: Record) -> Record:
    if not isinstance(record, ArrayRecord):
        return record.copy()
    arrays = {}
    for key, original in record.items():
        arrays[key] = array = Array.__new__(type(original))
        array.__dict__.update(original.__dict__)
    return record_of(ArrayRecord, arrays)


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


# States ------------------------------------------------------------------------------------------------


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
        return join(_kept(state))
    except Exception as error:  # apps put anything into it
        raise CodecError(f"the client's state (context.state) cannot be kept: {error}") from error


def _kept(state: RecordDict) -> list[Buffer]:
    header, buffers = encode_content(state)
    size = len(header) + sum(map(len, buffers))
    if size > MAX_STATE:
        raise CodecError(f"it takes {size} bytes, of at most {MAX_STATE}")
    decode_content(header, buffers)
    return [header, *buffers]


def unpack_state(data: bytes) -> RecordDict:
    """Undo `pack_state`, of this version and of earlier ones."""
    if not data:
        return RecordDict()
    if data[_OLD_STATE.size : _OLD_STATE.size + 1] != b"[":  # where `join` has a length's first byte, 0
        header, *buffers = cut(data)
        return decode_content(bytes(header), buffers)
    first, second = _OLD_STATE.unpack_from(data)
    view = memoryview(data)[_OLD_STATE.size :]
    buffers, start = [], first + second
    for length in json.loads(bytes(view[:first])):
        buffers.append(view[start : start + length])
        start += length
    return decode_content(bytes(view[first : first + second]), buffers)


_OLD_STATE = struct.Struct("!II")  # bytes of the buffers' lengths, in JSON, and of the header
