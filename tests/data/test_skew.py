"""A skew changes the features of a client in its own way, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedlocal.data import Skew, SkewError
from fedlocal.data.skew import GaussianNoise, NoSkew, Rotation

SKEWS: list[Skew] = [NoSkew(), GaussianNoise(0.5), Rotation(100.0)]


def images(n: int, *shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(n).random((n, int(np.prod(shape))), np.float32)


@pytest.mark.parametrize("skew", SKEWS)
@given(client=st.integers(0, 4), n=st.integers(0, 5))
def test_a_skew_keeps_its_input_and_its_promises(skew: Skew, client: int, n: int) -> None:
    x = images(n, 4, 5)
    before = x.copy()
    x.flags.writeable = False
    seen = skew(x, (4, 5), client, 5, np.random.default_rng(1))
    again = skew(x, (4, 5), client, 5, np.random.default_rng(1))
    assert np.array_equal(x, before)
    assert np.array_equal(seen, again)
    assert seen.dtype == np.float32
    assert (seen.shape, seen.flags.c_contiguous) == (x.shape, True)


def test_no_skew_returns_its_input() -> None:
    x = images(3, 2, 2)
    assert NoSkew()(x, (2, 2), 1, 2, np.random.default_rng(0)) is x


def test_the_variance_of_noise_grows_with_the_client() -> None:
    x = np.zeros((1000, 50), np.float32)
    for client in range(4):
        noise = GaussianNoise(0.4)(x, (50,), client, 4, np.random.default_rng(client))
        assert noise.var() == pytest.approx(0.4 * (client + 1) / 4, rel=0.05)
        assert noise.mean() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("shape", [(5, 5), (6, 6), (4, 4, 3)])
@pytest.mark.parametrize("quarter", range(4))
def test_quarter_turns_are_exact(shape: tuple[int, ...], quarter: int) -> None:
    x = images(3, *shape)
    turned = Rotation(360)(x, shape, quarter, 4, np.random.default_rng(0)).reshape(3, *shape)
    assert np.array_equal(turned, np.rot90(x.reshape(3, *shape), quarter, axes=(1, 2)))


def test_half_a_turn_of_an_oblong_image_is_exact() -> None:
    x = images(2, 3, 5)
    turned = Rotation(360)(x, (3, 5), 1, 2, np.random.default_rng(0))
    assert np.array_equal(turned, x[:, ::-1])


@pytest.mark.parametrize("shape", [(7, 7), (6, 9), (5, 8, 3)])
@pytest.mark.parametrize("angle", [10.0, 33.0, 123.0, -45.0])
def test_other_angles_are_those_of_scipy(shape: tuple[int, ...], angle: float) -> None:
    from scipy.ndimage import rotate

    x = images(4, *shape)
    turned = Rotation(angle * 2)(x, shape, 1, 2, np.random.default_rng(0)).reshape(4, *shape)
    expected = rotate(x.reshape(4, *shape), angle, axes=(1, 2), reshape=False, order=1, mode="grid-constant")
    assert np.allclose(turned, expected, atol=1e-5)


def test_one_client_alone_does_not_turn() -> None:
    x = images(2, 4, 4)
    assert np.array_equal(Rotation(90)(x, (4, 4), 0, 1, np.random.default_rng(0)), x)


@pytest.mark.parametrize("shape", [(16,), (2, 2, 2, 2)])
def test_rows_that_are_no_images_are_not_turned(shape: tuple[int, ...]) -> None:
    with pytest.raises(SkewError, match=f"shape {shape}".replace("(", r"\(").replace(")", r"\)")):
        Rotation()(images(2, *shape), shape, 0, 2, np.random.default_rng(0))


@pytest.mark.parametrize("level", [-0.1, float("nan"), float("inf")])
def test_a_noise_level_out_of_range_is_refused(level: float) -> None:
    with pytest.raises(SkewError, match=f"level={level}"):
        GaussianNoise(level)


def test_an_angle_that_is_no_number_is_refused() -> None:
    with pytest.raises(SkewError, match="max_angle=nan"):
        Rotation(float("nan"))
