"""Plain values as bytes: what actors exchange, and what they keep.

A value becomes parts: JSON first, then the bytes of its arrays and byte strings. What JSON lacks is a JSON
object with one key, its tag. No pickles: decoding builds nothing but the types named here.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors.spawned.aliasing import Piece, shared_pieces
from fedlocal.actors.spawned.refs import ActorRef, Down, Messenger
from fedlocal.memory.parts import Buffer, raw

MAX_DEPTH = 100
COPIED = 4096  # bytes up to which copies compare faster than views, which compare byte by byte
ARRAYS = "biufcSUMm"  # kinds of dtypes whose values are their bytes
PLAIN = "None, bool, int, float, str, bytes, list, tuple, dict, set, arrays and scalars of NumPy, ActorRef"
_to_json = json.JSONEncoder(separators=(",", ":")).encode
_from_json = json.JSONDecoder().decode
_NOTHING: Mapping[int, Any] = {}


class _NotPlain(Exception):  # noqa: N818 - never seen outside
    def __init__(self, value: Any, why: str = "") -> None:
        self.value, self.why = value, why
        self.path: list[str] = []


def encode(value: Any, called: str = "message") -> list[Buffer]:
    """Turn a plain value into parts; arrays are not copied unless they are not C-contiguous.

    What stands in it twice stands in it twice again when it is decoded.

    Raises
    ------
    TypeError
        If it is not plain; the message says where, and calls the whole value `called`.
    """
    return _write(value, called).parts


def encode_state(value: Any, called: str) -> tuple[list[Buffer], dict[int, tuple[Any, int]]]:
    """Turn a plain value into parts, from which its owner has it back with arrays as they lay in memory.

    Returns
    -------
    list of buffers
        The parts; decode them with ``writable=True``.
    dict of int to (object, int)
        What can be changed in it, by ``id``, and how often each is a part of it.

    Raises
    ------
    TypeError
        As `encode`.
    """
    writer = _write(value, called)
    pieces = shared_pieces(item for item, _ in writer.seen.values() if isinstance(item, np.ndarray))
    if pieces:
        writer = _write(value, called, pieces)
    mutable = {key: seen for key, seen in writer.seen.items() if type(seen[0]) in _MUTABLE}
    mutable.pop(id(value), None)
    return writer.parts, mutable


def _write(value: Any, called: str, pieces: Mapping[int, Piece] = _NOTHING) -> "_Writer":
    writer = _Writer(pieces, {})
    try:
        tree = _tree(value, writer, 0)
        if writer.repeated:  # which is seldom: only then is there anything to number
            writer = _Writer(pieces, dict.fromkeys(writer.repeated, _UNKNOWN))
            tree = _tree(value, writer, 0)
    except _NotPlain as error:
        path = called + "".join(reversed(error.path))
        kind, why = type(error.value), error.why or f"{_short_repr(error.value)}; plain are {PLAIN}"
        raise TypeError(
            f"{path} is no plain value but a {kind.__module__}.{kind.__qualname__}: {why}"
        ) from None
    writer.parts[0] = _to_json(tree).encode()
    return writer


def decode(parts: Sequence[Buffer], *, writable: bool = False, messenger: Messenger | None = None) -> Any:
    """Turn parts into the value they came from.

    Parameters
    ----------
    parts : sequence of buffers
        What `encode` returned.
    writable : bool
        Whether arrays that were writable are so again, as copies; otherwise all are read-only views.
    messenger : Messenger, optional
        What takes messages to the references among them.

    Raises
    ------
    ValueError
        If they are not the parts of a value.
    """
    text = bytes(parts[0]).decode()
    if "{" not in text:  # no tag
        return _from_json(text)
    return json.loads(text, object_hook=_Hook(parts, writable, messenger))


def same(first: Sequence[Buffer], second: Sequence[Buffer]) -> bool:
    """Tell whether parts are equal, byte by byte."""
    return len(first) == len(second) and all(map(_equal, first, second))


def _equal(first: Buffer, second: Buffer) -> bool:
    a, b = raw(first), raw(second)
    if a.nbytes != b.nbytes:
        return False
    whole = a.nbytes - a.nbytes % 8 if a.nbytes > COPIED else 0
    if bytes(a[whole:]) != bytes(b[whole:]):
        return False
    return not whole or np.array_equal(
        np.frombuffer(a[:whole], np.uint64), np.frombuffer(b[:whole], np.uint64)
    )


def _short_repr(value: Any) -> str:
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001 - it is not ours
        return "(without a repr)"
    return shown if len(shown) <= 80 else shown[:77] + "..."


# Encoding ----------------------------------------------------------------------------------------------

_UNKNOWN, _OPEN = 0, -1  # numbers of what has not been written, and of what is being written


class _Writer:
    """The parts so far, and what has been seen: written again, what stands there twice has a number."""

    def __init__(self, pieces: Mapping[int, Piece], numbers: dict[int, int]) -> None:
        self.pieces, self.numbers = pieces, numbers
        self.parts: list[Buffer] = [b""]
        self.seen: dict[int, tuple[Any, int]] = {}  # with how often
        self.repeated: set[int] = set()
        self._piece_parts: dict[int, int] = {}

    def add(self, part: Buffer) -> int:
        """Append a part and return its index."""
        self.parts.append(part)
        return len(self.parts) - 1

    def piece(self, piece: Piece) -> int:
        """Return the index of the part that a piece of memory is."""
        if piece.first not in self._piece_parts:
            self._piece_parts[piece.first] = self.add(piece.copy())
        return self._piece_parts[piece.first]


def _tree(value: Any, writer: _Writer, depth: int) -> Any:
    """Return what JSON has to say of a value; append the rest to the parts."""
    kind = type(value)
    if kind in _AS_IS:
        return value
    if depth == MAX_DEPTH:
        raise _NotPlain(value, f"it lies {MAX_DEPTH} levels deep")
    if kind in _MUTABLE or (kind in _COMPOUND and value):  # empty ones are all the same object
        return _once(value, kind, writer, depth)
    if (encoder := _ENCODERS.get(kind)) is not None:
        return encoder(value, writer, depth)
    if isinstance(value, np.generic):
        return {"scalar": _array(np.asarray(value), writer, depth)["array"]}
    raise _NotPlain(value)


def _once(value: Any, kind: type, writer: _Writer, depth: int) -> Any:
    """Write a value out where it comes first, and its number everywhere else."""
    seen, key = writer.seen, id(value)
    if key in seen:
        seen[key] = value, seen[key][1] + 1
        writer.repeated.add(key)
        if writer.numbers.get(key) == _OPEN:
            raise _NotPlain(value, "it contains itself")
        return {"again": writer.numbers.get(key)}
    seen[key] = value, 1
    if key not in writer.numbers:
        return _ENCODERS[kind](value, writer, depth)
    number, writer.numbers[key] = len(seen), _OPEN
    tree = _ENCODERS[kind](value, writer, depth)
    writer.numbers[key] = number
    return {"first": [number, tree]}


def _members(values: Iterable[Any], writer: _Writer, depth: int, form: str = "[{}]") -> list[Any]:
    trees = []
    for index, value in enumerate(values):
        try:
            trees.append(value if type(value) in _AS_IS else _tree(value, writer, depth + 1))
        except _NotPlain as error:
            error.path.append(form.format(index))
            raise
    return trees


def _int(value: int, writer: _Writer, depth: int) -> Any:  # noqa: ARG001
    return value if value.bit_length() <= 64 else {"int": hex(value)}  # Python limits decimal digits


def _bytes(value: bytes, writer: _Writer, depth: int) -> Any:  # noqa: ARG001
    return {"bytes": writer.add(value)}


def _dict(value: dict[Any, Any], writer: _Writer, depth: int) -> Any:
    keys = _members(value, writer, depth, "'s key {}")
    trees = []
    for key, member in value.items():
        try:
            trees.append(_tree(member, writer, depth + 1))
        except _NotPlain as error:
            error.path.append(f"[{_short_repr(key)}]")
            raise
    return {"dict": [keys, trees]}


def _array(value: NDArray[Any], writer: _Writer, depth: int) -> Any:  # noqa: ARG001
    if value.dtype.kind not in ARRAYS or value.dtype.itemsize == 0:
        raise _NotPlain(value, f"arrays of dtype {value.dtype} have no plain bytes")
    described = [value.dtype.str, list(value.shape), value.flags.writeable]
    if piece := writer.pieces.get(id(value)):
        return {"view": [writer.piece(piece), *described, piece.offset, list(value.strides)]}
    flat = np.asarray(value, order="C").reshape(-1)
    return {"array": [writer.add(flat.view(np.uint8)), *described]}


def _ref(value: ActorRef, writer: _Writer, depth: int) -> Any:  # noqa: ARG001
    return {"ref": [value.address, value.name]}


def _down(value: Down, writer: _Writer, depth: int) -> Any:
    return {"down": [_ref(value.ref, writer, depth), value.reason]}


_AS_IS = frozenset({type(None), bool, float, str})
_MUTABLE = frozenset({list, set, dict, np.ndarray})
_COMPOUND = frozenset({tuple, frozenset})
_ENCODERS: dict[type, Callable[[Any, _Writer, int], Any]] = {
    int: _int,
    bytes: _bytes,
    list: _members,
    tuple: lambda value, writer, depth: {"tuple": _members(value, writer, depth)},
    set: lambda value, writer, depth: {"set": _members(value, writer, depth, "'s member {}")},
    frozenset: lambda value, writer, depth: {"frozenset": _members(value, writer, depth, "'s member {}")},
    dict: _dict,
    np.ndarray: _array,
    ActorRef: _ref,
    Down: _down,
}

# Decoding ----------------------------------------------------------------------------------------------


class _Hook:
    """Turns JSON objects, from the innermost on, into what their tags say."""

    def __init__(self, parts: Sequence[Buffer], writable: bool, messenger: Messenger | None) -> None:
        self.parts, self._writable, self.messenger = parts, writable, messenger
        self._numbered: dict[int, Any] = {}
        self._pieces: dict[int, NDArray[np.uint8]] = {}

    def __call__(self, tagged: dict[str, Any]) -> Any:
        if len(tagged) != 1:
            raise ValueError(f"not a tagged value: {str(tagged)[:80]}")
        ((tag, content),) = tagged.items()
        if tag in _DECODERS:
            return _DECODERS[tag](content)
        if tag not in _READERS or (tag == "view" and not self._writable):
            raise ValueError(f"unknown tag {tag!r}")
        return _READERS[tag](self, content)

    def first(self, content: tuple[int, Any]) -> Any:
        number, value = content
        self._numbered[number] = value
        return value

    def again(self, number: int) -> Any:
        if number not in self._numbered:
            raise ValueError(f"number {number} comes before it is known")
        return self._numbered[number]

    def array(self, part: int, dtype: str, shape: list[int], writable: bool) -> NDArray[Any]:
        view = raw(self.parts[part]).toreadonly()
        array = np.frombuffer(view, dtype=np.uint8).view(_plain_dtype(dtype)).reshape(shape)
        if writable and self._writable:
            return array.copy()
        if not array.flags.aligned:  # compiled code may not take it
            array = array.copy()
            array.flags.writeable = False
        return array

    def view(
        self, part: int, dtype: str, shape: list[int], writable: bool, offset: int, strides: list[int]
    ) -> NDArray[Any]:
        if part not in self._pieces:
            self._pieces[part] = np.frombuffer(raw(self.parts[part]), dtype=np.uint8).copy()
        array: NDArray[Any] = np.ndarray(shape, _plain_dtype(dtype), self._pieces[part], offset, strides)
        array.flags.writeable = writable
        return array


def _plain_dtype(dtype: str) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind.kind not in ARRAYS:
        raise ValueError(f"arrays of dtype {kind} have no plain bytes")
    return kind


_READERS: dict[str, Callable[[_Hook, Any], Any]] = {
    "bytes": lambda hook, part: bytes(hook.parts[part]),
    "array": lambda hook, content: hook.array(*content),
    "view": lambda hook, content: hook.view(*content),
    "scalar": lambda hook, content: hook.array(*content)[()],
    "ref": lambda hook, content: ActorRef(content[0], content[1], hook.messenger),
    "first": _Hook.first,
    "again": _Hook.again,
}
_DECODERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda digits: int(digits, 16),
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": lambda pair: dict(zip(*pair, strict=True)),
    "down": lambda pair: Down(*pair),
}
