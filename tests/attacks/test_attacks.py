"""Each attack does what its documentation says, on small vectors, and refuses what it cannot do."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as ndarrays_of
from numpy.typing import NDArray

from fedlocal.attacks.attacks import (
    Attack,
    AttackError,
    Colluding,
    LabelFlip,
    NaN,
    Noise,
    Scaling,
    SignFlip,
)
from fedlocal.config.build import build
from fedlocal.config.compose import compose
from fedlocal.config.schema import Config, ConfigError
from fedlocal.config.validation import check
from fedlocal.data import Rows
from fedlocal.seeds import Stream, generator

WHOLE = st.integers(-1000, 1000).map(float)  # whole numbers: what is computed with them has no rounding
VECTORS = ndarrays_of(np.float32, 7, elements=WHOLE)
ATTACKS = (LabelFlip(), SignFlip(), Scaling(), Noise(), NaN(), Colluding())


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def reply(attack: Attack, sent: NDArray[Any], *trained: NDArray[Any]) -> NDArray[Any]:
    return attack.arrays({"w": sent}, [{"w": weights} for weights in trained], rng())["w"]


@given(VECTORS, VECTORS, st.integers(1, 50))
def test_updates_are_turned_round_or_made_longer(
    sent: NDArray[Any], trained: NDArray[Any], times: int
) -> None:
    update = trained - sent
    assert np.array_equal(reply(SignFlip(scale=times), sent, trained) - sent, -times * update)
    assert np.array_equal(reply(Scaling(factor=times), sent, trained) - sent, times * update)


@given(VECTORS, st.floats(1e-3, 1e3))
def test_noise_has_the_deviation_asked_for_and_the_bits_of_its_generator(
    sent: NDArray[Any], deviation: float
) -> None:
    attack, trained = Noise(deviation=deviation), {"w": np.ones(20_000, np.float32)}
    noisy = attack.arrays({}, [trained], rng(1))["w"]
    assert np.std(noisy) == pytest.approx(deviation, rel=0.05)
    assert np.mean(noisy) == pytest.approx(1, abs=0.05 * deviation)
    assert np.array_equal(noisy, attack.arrays({}, [trained], rng(1))["w"])
    assert not np.array_equal(noisy, attack.arrays({}, [trained], rng(2))["w"])


@given(VECTORS)
def test_the_nan_attack_sends_nothing_but_nan(sent: NDArray[Any]) -> None:
    assert np.isnan(reply(NaN(), sent, sent)).all()


@given(st.lists(VECTORS, min_size=2, max_size=5), st.floats(-3, 3).filter(bool))
def test_colluders_keep_as_far_from_their_mean_as_was_asked_for(
    trained: list[NDArray[Any]], deviations: float
) -> None:
    sent_ = reply(Colluding(deviations=deviations), trained[0], *trained)
    expected = np.mean(trained, axis=0) + deviations * np.std(trained, axis=0)
    np.testing.assert_allclose(sent_, expected, rtol=1e-4, atol=1e-2)
    for at in range(len(trained)):  # from whichever model they set out, all send the same
        assert np.array_equal(sent_, reply(Colluding(deviations=deviations), trained[at], *trained))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: type(attack).__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_replies_have_the_dtypes_and_shapes_that_were_trained_and_counters_stay(
    attack: Attack, dtype: Any
) -> None:
    model = {"w": np.ones((2, 3), dtype), "b": np.array(1, dtype), "steps": np.arange(2)}
    before = {name: array.copy() for name, array in model.items()}
    forged = attack.arrays(model, [model, model], rng())
    assert {name: (array.shape, array.dtype) for name, array in forged.items()} == {
        name: (array.shape, array.dtype) for name, array in model.items()
    }
    assert np.array_equal(forged["steps"], [0, 1])
    for name, array in before.items():
        assert np.array_equal(model[name], array)


@given(ndarrays_of(np.int64, 20, elements=st.integers(0, 9)))
def test_labels_are_all_flipped_or_one_label_into_another(y: NDArray[np.int64]) -> None:
    rows = Rows(np.ones((20, 2), np.float32), y)
    assert np.array_equal(LabelFlip().rows(rows, 10).y, 9 - y)
    flipped = LabelFlip(source=7, target=1).rows(rows, 10)
    assert np.array_equal(flipped.y, [1 if label == 7 else label for label in y])
    assert flipped.x is rows.x
    assert np.array_equal(Scaling().rows(rows, 10).y, 9 - y)
    for honest in (Scaling(flip=False), SignFlip(), Attack()):
        assert honest.rows(rows, 10) is rows


@given(st.integers(1, 60), st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
def test_the_share_of_the_actors_is_drawn_and_a_larger_share_holds_a_smaller(
    actors: int, share: float, other: float, seed: int
) -> None:
    def drawn(share: float) -> tuple[int, ...]:
        if share and not round(share * actors):
            with pytest.raises(AttackError, match=r"attack\.share=.*that is nobody"):
                NaN(share=share).malicious(actors, generator(seed, Stream.ATTACK))
            return ()
        return NaN(share=share).malicious(actors, generator(seed, Stream.ATTACK))

    few, many = sorted((drawn(share), drawn(other)), key=len)
    assert set(few) <= set(many) <= set(range(actors))
    assert list(many) == sorted(many)
    assert len(many) == round(max(share, other) * actors)


def test_the_malicious_actors_depend_on_the_seed_or_are_given() -> None:
    drawn = {NaN(share=0.2).malicious(50, generator(seed, Stream.ATTACK)) for seed in range(5)}
    assert len(drawn) == 5
    assert NaN(actors=[3, 0]).malicious(4, rng()) == (0, 3)
    assert NaN(actors=[]).malicious(4, rng()) == Attack().malicious(4, rng()) == ()


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["attack=noise", "attack.share=1.5"], r"attack\.share=1\.5: must be from 0 to 1"),
        (["attack=nans", "attack.share=-0.1"], r"attack\.share=-0\.1: must be from 0 to 1"),
        (["attack=nans", "attack.share=nan"], r"attack\.share=nan: must be a number"),
        (["attack=nans", "attack.share=most"], r"attack\.share=most: must be a number"),
        (["attack=nans", "attack.actors=3"], r"attack\.actors=3: must be a list"),
        (["attack=nans", "attack.actors=[1,1]"], r"attack\.actors=\[1, 1\]: name each malicious actor once"),
        (["attack=sign_flip", "attack.scale=0"], r"attack\.scale=0.*above 0"),
        (["attack=scaling", "attack.factor=-2"], r"attack\.factor=-2.*above 0"),
        (
            ["attack=noise", "attack.deviation=inf"],
            r"attack\.deviation=inf: must be a finite number above 0",
        ),
        (["attack=colluding", "attack.deviations=0"], r"attack\.deviations=0.*other than 0"),
        (["attack=label_flip", "attack.source=3"], r"attack\.source=3 attack\.target=None: give both"),
    ],
)
def test_impossible_options_are_named(overrides: list[str], problem: str) -> None:
    with pytest.raises((AttackError, ConfigError), match=problem):
        built(compose(*overrides))


def built(config: Config) -> Attack:
    check(config)
    attack: Attack = build(config, "attack")
    return attack


def test_actors_that_do_not_exist_are_named() -> None:
    with pytest.raises(AttackError, match=r"attack\.actors=\[1, 9\]: actor 9 is not of 0 to 3"):
        NaN(actors=[1, 9]).malicious(4, rng())
    with pytest.raises(AttackError, match="is not of 0 to 3"):
        NaN(actors=[-1]).malicious(4, rng())
    with pytest.raises(AttackError, match="actor 2 of actors=4 has nobody to collude with"):
        Colluding(actors=[2]).malicious(4, rng())


def test_labels_that_are_not_there_cannot_be_flipped() -> None:
    with pytest.raises(AttackError, match="no labels to flip where targets are real values; choose another"):
        LabelFlip().check(None)
    with pytest.raises(AttackError, match=r"real values; set attack\.flip=false"):
        Scaling().check(None)
    with pytest.raises(AttackError, match=r"attack\.target=10: must be a class from 0 to 9"):
        LabelFlip(source=0, target=10).check(10)
    Scaling(flip=False).check(None)
    LabelFlip(source=0, target=9).check(10)


def test_presets_say_what_the_classes_have_as_defaults() -> None:
    for attack in ATTACKS:
        name = {"NaN": "nans"}.get(
            type(attack).__name__,
            "".join(f"_{c.lower()}" if c.isupper() else c for c in type(attack).__name__),
        )
        attack_ = build(compose(f"attack={name.strip('_')}"), "attack")
        assert vars(attack_) == {**vars(attack), "share": 0.2}
