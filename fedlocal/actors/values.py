"""Plain values as bytes: what actors exchange, and what they keep.

A value becomes parts: JSON first, then the bytes of its arrays and byte strings. What JSON lacks is a JSON
object with one key, its tag. No pickles: decoding builds nothing but the types named here.
"""

import json
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors.memory import Buffer, raw
from fedlocal.actors.refs import ActorRef, Courier, Down

MAX_DEPTH = 100
ALIGNMENT = 16  # of a part in its packed form; that of bytes in CPython
COPIED = 4096  # bytes up to which copies compare faster than views, which compare byte by byte
ARRAYS = "biufcSUMm"  # kinds of dtypes whose values are their bytes
PLAIN = "None, bool, int, float, str, bytes, list, tuple, dict, set, arrays and scalars of NumPy, ActorRef"
_to_json = json.JSONEncoder(separators=(",", ":")).encode
_from_json = json.JSONDecoder().decode
_COUNT = struct.Struct("!Q")


class _NotPlain(Exception):  # noqa: N818 - never seen outside
    def __init__(self, value: Any, why: str = "") -> None:
        self.value, self.why = value, why
        self.path: list[str] = []


def encode(value: Any, called: str = "message") -> list[Buffer]:
    """Turn a plain value into parts; arrays are not copied unless they are not C-contiguous.

    Raises
    ------
    TypeError
        If it is not plain, with the place of the part that is not; `called` is how to call the whole.
    """
    parts: list[Buffer] = [b""]
    try:
        parts[0] = _to_json(_tree(value, parts, 0)).encode()
    except _NotPlain as error:
        place = called + "".join(reversed(error.path))
        kind, why = type(error.value), error.why or f"{_shown(error.value)}; plain are {PLAIN}"
        raise TypeError(
            f"{place} is no plain value but a {kind.__module__}.{kind.__qualname__}: {why}"
        ) from None
    return parts


def decode(parts: Sequence[Buffer], *, own: bool = False, courier: Courier | None = None) -> Any:
    """Turn parts into the value they came from.

    Parameters
    ----------
    parts : sequence of buffers
        What `encode` returned.
    own : bool
        Whether arrays that were writable are so again, as copies; otherwise all are read-only views.
    courier : Courier, optional
        What takes messages to the references among them.

    Raises
    ------
    ValueError
        If they are not the parts of a value.
    """
    text = bytes(parts[0]).decode()
    if "{" not in text:  # no tag
        return _from_json(text)
    return json.loads(text, object_hook=_Hook(parts, own, courier))


def pack(parts: Sequence[Buffer]) -> bytes:
    """Join parts into one byte string, each at an aligned offset."""
    views = [raw(part) for part in parts]
    joined: list[bytes | memoryview] = [
        _COUNT.pack(len(views)),
        *(_COUNT.pack(view.nbytes) for view in views),
    ]
    joined.append(bytes(-_COUNT.size * len(joined) % ALIGNMENT))
    for view in views:
        joined += [view, bytes(-view.nbytes % ALIGNMENT)]
    return b"".join(joined)


def unpack(packed: Buffer) -> list[memoryview]:
    """Cut what `pack` joined into views of its parts.

    Raises
    ------
    ValueError
        If the lengths do not add up.
    """
    view = raw(packed)
    if view.nbytes < _COUNT.size:
        raise ValueError("packed parts are cut off")
    (count,) = _COUNT.unpack_from(view)
    start = _COUNT.size * (1 + count)
    if start > view.nbytes:
        raise ValueError("packed parts are cut off")
    parts = []
    lengths = struct.unpack_from(f"!{count}Q", view, _COUNT.size)
    for length in lengths:
        start += -start % ALIGNMENT
        parts.append(view[start : start + length])
        start += length
    if start > view.nbytes:
        raise ValueError("packed parts are cut off")
    return parts


def same(some: Sequence[Buffer], others: Sequence[Buffer]) -> bool:
    """Tell whether parts are equal, byte by byte."""
    return len(some) == len(others) and all(map(_equal, some, others))


def _equal(one: Buffer, other: Buffer) -> bool:
    a, b = raw(one), raw(other)
    if a.nbytes != b.nbytes:
        return False
    whole = a.nbytes - a.nbytes % 8 if a.nbytes > COPIED else 0
    if bytes(a[whole:]) != bytes(b[whole:]):
        return False
    return not whole or np.array_equal(
        np.frombuffer(a[:whole], np.uint64), np.frombuffer(b[:whole], np.uint64)
    )


def _shown(value: Any) -> str:
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001 - it is not ours
        return "(without a repr)"
    return shown if len(shown) <= 80 else shown[:77] + "..."


# Encoding ----------------------------------------------------------------------------------------------


def _tree(value: Any, parts: list[Buffer], depth: int) -> Any:
    """Return what JSON has to say of a value; append the rest to `parts`."""
    kind = type(value)
    if kind in _AS_IS:
        return value
    if depth == MAX_DEPTH:
        raise _NotPlain(value, f"it lies {MAX_DEPTH} levels deep, or contains itself")
    if kind is list:
        return _members(value, parts, depth)
    if (encoder := _ENCODERS.get(kind)) is not None:
        return encoder(value, parts, depth)
    if isinstance(value, np.generic):
        return {"scalar": _array(np.asarray(value), parts, depth)["array"]}
    raise _NotPlain(value)


def _members(values: Iterable[Any], parts: list[Buffer], depth: int, form: str = "[{}]") -> list[Any]:
    trees = []
    for index, value in enumerate(values):
        try:
            trees.append(value if type(value) in _AS_IS else _tree(value, parts, depth + 1))
        except _NotPlain as error:
            error.path.append(form.format(index))
            raise
    return trees


def _int(value: int, parts: list[Buffer], depth: int) -> Any:  # noqa: ARG001
    return value if value.bit_length() <= 64 else {"int": hex(value)}  # Python limits decimal digits


def _bytes(value: bytes, parts: list[Buffer], depth: int) -> Any:  # noqa: ARG001
    parts.append(value)
    return {"bytes": len(parts) - 1}


def _dict(value: dict[Any, Any], parts: list[Buffer], depth: int) -> Any:
    keys = _members(value, parts, depth, "'s key {}")
    trees = []
    for key, member in value.items():
        try:
            trees.append(_tree(member, parts, depth + 1))
        except _NotPlain as error:
            error.path.append(f"[{_shown(key)}]")
            raise
    return {"dict": [keys, trees]}


def _array(value: NDArray[Any], parts: list[Buffer], depth: int) -> Any:  # noqa: ARG001
    if value.dtype.kind not in ARRAYS or value.dtype.itemsize == 0:
        raise _NotPlain(value, f"arrays of dtype {value.dtype} have no plain bytes")
    flat = np.asarray(value, order="C").reshape(-1)
    parts.append(flat.view(np.uint8))
    described = [len(parts) - 1, value.dtype.str, list(value.shape), value.flags.writeable]
    return {"array": described}


def _ref(value: ActorRef, parts: list[Buffer], depth: int) -> Any:  # noqa: ARG001
    return {"ref": [value.address, value.name]}


def _down(value: Down, parts: list[Buffer], depth: int) -> Any:
    return {"down": [_ref(value.ref, parts, depth), value.reason]}


_AS_IS = frozenset({type(None), bool, float, str})
_ENCODERS: dict[type, Callable[[Any, list[Buffer], int], Any]] = {
    int: _int,
    bytes: _bytes,
    tuple: lambda value, parts, depth: {"tuple": _members(value, parts, depth)},
    set: lambda value, parts, depth: {"set": _members(value, parts, depth, "'s member {}")},
    frozenset: lambda value, parts, depth: {"frozenset": _members(value, parts, depth, "'s member {}")},
    dict: _dict,
    np.ndarray: _array,
    ActorRef: _ref,
    Down: _down,
}

# Decoding ----------------------------------------------------------------------------------------------


class _Hook:
    """Turns JSON objects, from the innermost on, into what their tags say."""

    def __init__(self, parts: Sequence[Buffer], own: bool, courier: Courier | None) -> None:
        self._parts, self._own, self._courier = parts, own, courier

    def __call__(self, tagged: dict[str, Any]) -> Any:
        if len(tagged) != 1:
            raise ValueError(f"not a tagged value: {str(tagged)[:80]}")
        ((tag, content),) = tagged.items()
        if tag in _DECODERS:
            return _DECODERS[tag](content)
        if tag == "bytes":
            return bytes(self._parts[content])
        if tag == "array":
            return self._array(*content)
        if tag == "scalar":
            return self._array(*content)[()]
        if tag == "ref":
            address, name = content
            return ActorRef(address, name, self._courier)
        raise ValueError(f"unknown tag {tag!r}")

    def _array(self, part: int, dtype: str, shape: list[int], writable: bool) -> NDArray[Any]:
        kind = np.dtype(dtype)
        if kind.kind not in ARRAYS:
            raise ValueError(f"arrays of dtype {kind} have no plain bytes")
        view = raw(self._parts[part]).toreadonly()
        array = np.frombuffer(view, dtype=np.uint8).view(kind).reshape(shape)
        if writable and self._own:
            return array.copy()
        if not array.flags.aligned:  # compiled code may not take it
            array = array.copy()
            array.flags.writeable = False
        return array


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda digits: int(digits, 16),
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": lambda pair: dict(zip(*pair, strict=True)),
    "down": lambda pair: Down(*pair),
}
