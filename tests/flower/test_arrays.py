"""Local arrays are Flower's arrays to all who look, and serialise only when asked."""

from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord

from fedlocal.flower.arrays import LocalArray, array_record, ndarrays


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
