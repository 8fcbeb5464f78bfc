"""The weighted mean: right, and the same bits always."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedlocal.flower.server.mean import GROUP, SHARD, weighted_mean


def replies(count: int, size: int, dtype: str = "float32", seed: int = 0) -> list[dict[str, NDArray[Any]]]:
    rng = np.random.default_rng(seed)
    return [
        {"w": rng.normal(size=size).astype(dtype), "b": rng.normal(size=(2, 3)).astype(dtype)}
        for _ in range(count)
    ]


@pytest.mark.parametrize("count", [2, GROUP, GROUP + 1, 3 * GROUP + 5])
@pytest.mark.parametrize("size", [1, SHARD - 1, SHARD, 2 * SHARD + 7])
def test_the_weighted_mean_is_that_of_numpy(count: int, size: int) -> None:
    given_, weights = replies(count, size), list(range(1, count + 1))
    mean = weighted_mean(given_, weights)
    for name in ("w", "b"):
        exact = np.average([reply[name].astype(np.float64) for reply in given_], axis=0, weights=weights)
        np.testing.assert_allclose(mean[name], exact, rtol=1e-5, atol=1e-6)
        assert mean[name].dtype == np.float32
        assert mean[name].shape == given_[0][name].shape


@given(st.integers(2, 2 * GROUP), st.integers(0, 63), st.integers(0, 100))
def test_the_bits_do_not_depend_on_where_the_arrays_lie(count: int, offset: int, seed: int) -> None:
    given_, weights = replies(count, SHARD + 100, seed=seed), list(range(1, count + 1))
    moved = []
    for reply in given_:
        memory = np.empty(reply["w"].size + offset + 1, dtype=np.float32)
        memory[offset : offset + reply["w"].size] = reply["w"]
        moved.append({**reply, "w": memory[offset : offset + reply["w"].size]})
    assert weighted_mean(given_, weights)["w"].tobytes() == weighted_mean(moved, weights)["w"].tobytes()


def test_a_single_reply_is_copied_bit_for_bit() -> None:
    (single,) = replies(1, 10)
    single["w"][0] = -0.0
    mean = weighted_mean([single], [3])
    assert mean["w"].tobytes() == single["w"].tobytes()
    assert mean["w"] is not single["w"]


def test_integers_stay_integers() -> None:
    mean = weighted_mean([{"n": np.array([1, 2])}, {"n": np.array([2, 4])}], [1, 3])
    np.testing.assert_array_equal(mean["n"], [2, 4])
    assert mean["n"].dtype == np.int64


def test_float64_stays_float64() -> None:
    assert weighted_mean(replies(3, 5, "float64"), [1, 1, 1])["w"].dtype == np.float64


@pytest.mark.parametrize("weights", [[0, 0], [0.0, -1.0]])
def test_weights_without_a_positive_weight_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one weight must be above 0"):
        weighted_mean(replies(2, 3), weights)
