"""Local arrays are Flower's arrays to all who look, and serialise only when asked."""

import os
import pickle
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedlocal.flower.compat.private import NUMPY
from fedlocal.flower.messages.arrays import (
    ArrayError,
    LocalArray,
    array_record,
    from_npy,
    ndarrays,
    unwrapped,
)

ARRAYS = hnp.arrays(
    dtype=st.sampled_from(["<f4", ">f8", "<i8", "?", "<f2"]),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    elements=st.integers(0, 1),
).flatmap(lambda array: st.sampled_from([array, np.asfortranarray(array)]))


def test_a_local_array_says_of_itself_what_flowers_does() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    local, plain = LocalArray(values), Array(values)
    assert isinstance(local, Array)
    assert (local.dtype, local.shape, local.stype) == (plain.dtype, plain.shape, plain.stype)
    assert local.data == plain.data
    np.testing.assert_array_equal(local.numpy(), values)


def test_numpy_gives_a_separate_copy() -> None:
    values = np.zeros(3, dtype=np.float32)
    values.flags.writeable = False
    LocalArray(values).numpy()[0] = 1
    assert values[0] == 0


def test_records_hand_the_same_arrays_back() -> None:
    arrays: dict[str, Any] = {"b": np.ones(2), "a": np.zeros((2, 2), dtype=np.float32)}
    again = ndarrays(array_record(arrays))
    assert list(again) == ["b", "a"]
    assert all(again[name] is arrays[name] for name in arrays)


def test_a_copy_of_a_record_by_flower_is_a_plain_one_with_the_same_values() -> None:
    record = ArrayRecord(dict(array_record({"w": np.arange(4.0)})))
    np.testing.assert_array_equal(ndarrays(record)["w"], np.arange(4.0))


def test_objects_do_not_travel() -> None:
    with pytest.raises(ArrayError, match="dtype object do not travel"):
        LocalArray(np.array([{}]))


@given(ARRAYS)
def test_an_array_of_flower_is_unwrapped_without_a_copy(array: np.ndarray[Any, Any]) -> None:
    wrapped = Array.from_numpy_ndarray(array)
    behind = unwrapped(wrapped)
    assert behind is not None
    np.testing.assert_array_equal(behind, array)
    assert (behind.dtype, behind.shape) == (array.dtype, array.shape)
    assert not behind.size or np.shares_memory(behind, np.frombuffer(wrapped.data, np.uint8))


def npy(array: np.ndarray[Any, Any]) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


class Bomb:
    """Whoever unpickles it is no more."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)


def claiming(shape: str, descr: str = "'<f4'", data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'",
        npy(np.ones(3))[:-1],
        npy(np.ones(3)) + b"more",
        npy(np.array([Bomb()], dtype=object)),
        npy(np.zeros(2, dtype=[("a", "<f4"), ("b", "<i8")])),
        b"PK\x03\x04" + bytes(100),  # an archive, which np.load would open
        claiming("(10000000000000,)"),
        claiming("(0, 10000000000000000000000000)"),
        claiming("(-2, -2)", data=bytes(16)),
        claiming("(1.0,)", data=bytes(4)),
        claiming("'many'"),
        claiming("(10000000000000,)", "'|S0'"),
        claiming("(2,)", "'(1000,)<f4'", bytes(8)),
        claiming("(2,)", "[('a', '<f4'), ('b', '<f4')]", bytes(16)),
        claiming("(2,)", "nonsense", bytes(8)),
        claiming("(" * 500, data=bytes(8)),
        claiming("(2,)", data=bytes(8), version=b"\7\0"),
    ],
)
def test_bytes_that_are_not_the_array_they_claim_are_refused(data: bytes) -> None:
    array = Array("float32", (2,), NUMPY, data)
    with pytest.raises(ArrayError):
        unwrapped(array)
    with pytest.raises(ArrayError):
        ndarrays(ArrayRecord({"w": array}))


DAMAGED = st.builds(
    lambda array, cut, more: npy(array)[: -cut or None] + more,
    ARRAYS,
    st.integers(0, 9),
    st.binary(max_size=9),
)


@given(
    st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: b"\x93NUMPY\x01\x00" + data) | DAMAGED
)
def test_any_bytes_are_an_array_or_refused(content: bytes) -> None:
    with suppress(ArrayError):
        array = from_npy(content)
        assert content.endswith(array.tobytes("A"))
        assert not array.size or np.shares_memory(array, np.frombuffer(content, np.uint8))


def test_arrays_of_other_kinds_are_not_unwrapped() -> None:
    trees = Array("", (), "xgboost", b"\1\2")
    assert unwrapped(trees) is None
    with pytest.raises(ArrayError, match="array 'trees' is of kind 'xgboost', not NumPy's"):
        ndarrays(ArrayRecord({"trees": trees}))


def test_a_local_array_is_sent_and_pickled_like_any_other_array() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    theirs, ours = Array.from_numpy_ndarray(values), LocalArray(values)
    assert ours.object_id == theirs.object_id
    again = pickle.loads(pickle.dumps(ours))  # noqa: S301 - as Ray does
    assert type(again) is LocalArray
    np.testing.assert_array_equal(again.ndarray, values)
