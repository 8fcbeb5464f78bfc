"""Plain values survive the way there and back; nothing else sets out."""

import pickle
import re
from collections import OrderedDict, namedtuple
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedlocal.actors import ActorRef, Buffer, Down
from fedlocal.actors.spawned.values import decode, encode, encode_state, same
from fedlocal.memory.parts import cut, join

Point = namedtuple("Point", "x y")

refs = st.builds(ActorRef, st.integers(0, 1 << 80) | st.text(), st.none() | st.text())
hashable = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | refs,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?")
    | hnp.complex_number_dtypes(endianness="?")
    | hnp.unicode_string_dtypes(min_len=1)
    | hnp.byte_string_dtypes(min_len=1)
    | hnp.datetime64_dtypes()
)
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
plain = st.recursive(
    hashable | arrays | st.integers(1 << 64, 1 << 200) | st.builds(Down, refs, st.text()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.sets(hashable, max_size=4)
    ),
    max_leaves=10,
)


def equal(first: Any, other: Any) -> bool:
    """Equal in value, type, dtype and shape; NaN is equal to NaN, 0.0 is not to -0.0."""
    if type(first) is not type(other):
        return False
    if isinstance(first, np.ndarray | np.generic):
        return (first.dtype, first.shape, first.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(first, list | tuple):
        return len(first) == len(other) and all(map(equal, first, other))
    if isinstance(first, dict):
        return equal(list(first), list(other)) and equal(list(first.values()), list(other.values()))
    if isinstance(first, set | frozenset):
        return len(first) == len(other) and all(any(equal(a, b) for b in other) for a in first)
    if isinstance(first, ActorRef):
        return (first.address, first.name) == (other.address, other.name)
    return repr(first) == repr(other)


@given(plain)
def test_a_plain_value_comes_back_as_it_was(value: Any) -> None:
    assert equal(decode(cut(join(encode(value)))), value)


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.binary(max_size=40), max_size=5))
def test_parts_are_the_same_only_if_all_their_bytes_are(some: list[Buffer], changed: list[Buffer]) -> None:
    assert [bytes(part) for part in cut(join(some))] == some
    assert same(some, cut(join(some)))
    assert same(some, changed) == (some == changed)


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 10_000, 10_001])
def test_one_bit_makes_parts_differ(size: int) -> None:
    some = bytes(size)
    assert same([some], [bytearray(size)])
    assert not same([some], [some, b""])
    assert not same([some], [bytes(size + 1)])
    for index in range(0, size, 97):
        assert not same([some], [some[:index] + b"\x80" + some[index + 1 :]])


def test_scalars_of_numpy_stay_scalars() -> None:
    for scalar in (np.float32(0.1), np.int64(-3), np.bool_(True), np.str_("é"), np.datetime64("2026-01-01")):
        assert equal(decode(encode(scalar)), scalar)


@pytest.mark.parametrize("big", [4299, 4300, 4301, 50_000])
def test_integers_have_no_limit(big: int) -> None:
    assert decode(encode(-(10**big))) == -(10**big)


def test_arrays_are_not_copied_on_their_way_out_and_read_only_where_they_arrive() -> None:
    sent = np.arange(12.0).reshape(3, 4)
    parts = encode([sent])
    assert np.shares_memory(np.frombuffer(parts[1], np.uint8), sent)
    (received,) = decode(parts)
    np.testing.assert_array_equal(received, sent)
    with pytest.raises(ValueError, match="read-only"):
        received[0] = 1


def test_the_owner_of_a_state_gets_copies_of_writable_arrays_alone() -> None:
    fixed = np.zeros(3)
    fixed.flags.writeable = False
    parts = encode({"free": np.zeros(3), "fixed": fixed})
    state = decode(parts, writable=True)
    state["free"][0] = 1
    assert decode(parts, writable=True)["free"][0] == 0
    assert not state["fixed"].flags.writeable


def test_arrays_in_any_layout_arrive_in_c_order_and_aligned() -> None:
    base = np.arange(24, dtype=">i4").reshape(2, 3, 4)
    for array in (base.T, base[:, ::-2], np.asfortranarray(base), base[0, 0, 1:]):
        packed = b"x" + join(encode(array))  # nothing lies at an aligned offset any more
        received = decode(cut(memoryview(packed)[1:]))
        np.testing.assert_array_equal(received, array)
        assert received.flags.aligned
        assert received.flags.c_contiguous


class Weights:
    def __repr__(self) -> str:
        return "W" * 1000


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Weights(), f"message is no plain value but a {__name__}.Weights: WWW"),
        ({"a": [1, (2, Weights())]}, "message['a'][1][1] is no plain value"),
        ({("k", 1): {Point(1, 2)}}, "message[('k', 1)]'s member 0 is no plain value"),
        ({Point(1, 2): 1}, "message's key 0 is no plain value"),
        (np.array([None]), "message is no plain value but a numpy.ndarray: arrays of dtype object"),
        (np.zeros(2, dtype=[("a", "i4")]), "arrays of dtype [('a', '<i4')] have no plain bytes"),
        ([np.ma.zeros(3)], "message[0] is no plain value but a numpy.ma.MaskedArray"),
        ([print], "message[0] is no plain value but a builtins.builtin_function_or_method"),
        (OrderedDict(), "message is no plain value but a collections.OrderedDict"),
    ],
)
def test_a_value_that_is_not_plain_is_refused_with_its_path(value: Any, said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)) as refusal:
        encode(value)
    assert len(str(refusal.value)) < 400


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(TypeError, match=r"message\[0\] .*: it contains itself"):
        encode(value)


def test_an_object_under_two_names_in_a_value_is_one_object_where_it_arrives() -> None:
    rows, weights = [[1], {2}], np.arange(3.0)
    sent = {"a": rows, "b": (rows, rows[1]), "w": weights, "v": [weights]}
    received = decode(cut(join(encode(sent))))
    assert equal(received, sent)
    assert received["a"] is received["b"][0]
    assert received["a"][1] is received["b"][1]
    assert received["w"] is received["v"][0]
    assert len(encode(sent)) == 2  # its bytes travel once


def test_a_value_of_many_shared_parts_stays_small() -> None:
    value: Any = [0]
    for _ in range(90):
        value = [value, value]
    received = decode(encode(value))
    for _ in range(90):
        assert received[0] is received[1]
        received = received[0]
    assert received == [0]


def steps(array: NDArray[Any]) -> list[int]:
    """Return the strides of the axes along which there is more than one."""
    return [stride for stride, length in zip(array.strides, array.shape, strict=True) if length > 1]


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=3, max_side=5)), st.data())
def test_the_arrays_of_a_state_overlap_and_lie_as_they_did(whole: NDArray[Any], data: st.DataObject) -> None:
    cuts = [data.draw(hnp.basic_indices(whole.shape, allow_ellipsis=True)) for _ in range(3)]
    axes = data.draw(st.permutations(range(whole.ndim)))
    some = {"whole": whole.transpose(axes), **{str(k): np.asarray(whole[cut]) for k, cut in enumerate(cuts)}}
    again = decode(cut(join(encode_state(some, "state")[0])), writable=True)
    assert equal(again, some)
    for name, array in some.items():
        assert not array.size or steps(again[name]) == steps(array)
        array += 1
        again[name] += 1
        assert equal(again, some)


@pytest.mark.parametrize(
    "parts",
    [
        [b'{"view": [1, "<f8", [1], true, 8, [8]]}', bytes(8)],
        [b'{"view": [1, "<f8", [9], true, 0, [8]]}', bytes(8)],
        [b'{"view": [1, "|O", [1], true, 0, [8]]}', bytes(8)],
        [b'[{"again": 1}, {"first": [1, []]}]'],
    ],
)
def test_a_state_reaches_nothing_beside_itself(parts: list[Buffer]) -> None:
    with pytest.raises(ValueError, match=r"size|buffer|plain|before it is known"):
        decode(parts, writable=True)


@pytest.mark.parametrize(
    "parts",
    [
        [b'{"pickle": 0}', pickle.dumps(print)],
        [b'{"a": 1, "b": 2}'],
        [b'{"array": [1, "|O", [1], true]}', bytes(8)],
        [b'{"array": [1, "<f8", [10000000000000], true]}', b""],
        [b'{"array": [1, "<f8", [2], true]}', bytes(8)],
    ],
)
def test_parts_that_no_value_has_are_refused(parts: list[Buffer]) -> None:
    with pytest.raises(ValueError, match=r"tag|plain|size|reshape"):
        decode(parts)


@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_refused_or_unpack_to_no_more_than_they_are(data: bytes) -> None:
    try:
        parts = cut(data)
    except ValueError:
        return
    assert sum(part.nbytes for part in parts) <= len(data)


def test_lengths_are_checked_before_anything_is_allocated() -> None:
    for data in (
        b"",
        bytes(7),
        (1 << 60).to_bytes(8, "big"),
        (1).to_bytes(8, "big") + (1 << 60).to_bytes(8, "big"),
    ):
        with pytest.raises(ValueError, match="cut off"):
            cut(data)
