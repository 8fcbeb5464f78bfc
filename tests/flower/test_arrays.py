"""Local arrays are Flower's arrays to all who look, and serialise only when asked."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedlocal.flower.arrays import LocalArray, array_record, ndarrays, unwrapped
from fedlocal.flower.private import NUMPY

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


def test_numpy_gives_a_copy_of_its_own() -> None:
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
    with pytest.raises(TypeError, match="Python objects"):
        LocalArray(np.array([{}]))


@given(ARRAYS)
def test_flowers_own_array_is_unwrapped_without_a_copy(array: np.ndarray[Any, Any]) -> None:
    wrapped = Array.from_numpy_ndarray(array)
    behind = unwrapped(wrapped)
    assert behind is not None
    np.testing.assert_array_equal(behind, array)
    assert (behind.dtype, behind.shape) == (array.dtype, array.shape)
    assert not behind.size or np.shares_memory(behind, np.frombuffer(wrapped.data, np.uint8))


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'"])
def test_what_is_no_array_is_left_to_whoever_reads_it(data: bytes) -> None:
    assert unwrapped(Array("float32", (2,), NUMPY, data)) is None


def test_arrays_of_other_kinds_and_of_objects_are_not_unwrapped() -> None:
    assert unwrapped(Array("", (), "xgboost", b"\1\2")) is None
    file = BytesIO()
    np.save(file, np.array([None]), allow_pickle=True)
    assert unwrapped(Array("object", (1,), NUMPY, file.getvalue())) is None
