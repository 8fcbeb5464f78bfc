"""A data set's fingerprint: equal for equal data, another one for whatever a model could notice."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from fedlocal.data import (
    Dataset,
    FeatureScaling,
    Rows,
    Shards,
    Slices,
    differing_parts,
    division_of,
    fingerprint,
    traits,
)
from fedlocal.data.skew import NoSkew
from fedlocal.partitions import Iid
from fedlocal.seeds import Stream, generator


def data(seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((30, 4)).astype(np.float32), np.arange(30) % 3
    parts = Rows(x[:20], y[:20]), Rows(x[20:], y[20:])
    return Dataset("mine", *parts, np.array(["a", "b", "c"]), (4,), groups=np.arange(20) % 5)


def with_rows(dataset: Dataset, part: str, **arrays: Any) -> Dataset:
    rows = replace(getattr(dataset, part), **arrays)
    return replace(dataset, **{part: rows})


def flipped(array: Any) -> Any:
    other = array.copy()
    other.reshape(-1).view(np.uint8)[-4] ^= 1  # the least significant byte of its last number
    return other


def test_equal_data_have_equal_fingerprints_and_copies_change_nothing() -> None:
    assert fingerprint(data()) == fingerprint(data())
    assert differing_parts(fingerprint(data()), fingerprint(data())) == ""


def test_a_fingerprint_is_the_same_on_every_machine() -> None:
    x, y = np.arange(8, dtype=np.float32).reshape(4, 2), np.array([0, 1, 0, 1])
    whole = Dataset("mine", Rows(x, y), Rows(x[:2].copy(), y[:2]), np.array([0, 1]), (2,))
    assert fingerprint(whole) == {
        "rows": [4, 2],
        "features": "0571cfe42be5c7b9",
        "targets": "01c84f606ffe38ee",
        "test features": "4c9c4f354e74153d",
        "test targets": "9d34149fbd1fe777",
        "classes, groups, scale or columns": "2afef684a98e59aa",
    }


CHANGES: dict[str, tuple[Any, str]] = {
    "a bit of a feature": (lambda d: with_rows(d, "train", x=flipped(d.train.x)), "features"),
    "two labels": (lambda d: with_rows(d, "train", y=d.train.y[::-1].copy()), "targets"),
    "the order": (
        lambda d: with_rows(d, "train", x=d.train.x[::-1].copy(), y=d.train.y[::-1].copy()),
        "features, targets",
    ),
    "the number of rows": (
        lambda d: replace(d, test=Rows(d.test.x[:5], d.test.y[:5])),
        "rows, test features, test targets",
    ),
    "test labels": (lambda d: with_rows(d, "test", y=(d.test.y + 1) % 3), "test targets"),
    "the names of classes": (lambda d: replace(d, classes=np.array(["b", "a", "c"])), "classes, groups"),
    "groups": (lambda d: replace(d, groups=d.groups + 1), "classes, groups"),
    "the scale": (
        lambda d: replace(d, scaling=FeatureScaling(np.zeros(1), np.full(1, 255.0))),
        "classes, groups, scale",
    ),
    "the shape": (lambda d: replace(d, shape=(2, 2)), "classes, groups, scale"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_of_the_data_is_named(case: str) -> None:
    change, named = CHANGES[case]
    assert differing_parts(fingerprint(data()), fingerprint(change(data()))).startswith(named)


def test_a_property_that_only_one_fingerprint_has_is_no_change() -> None:
    assert differing_parts({}, fingerprint(data())) == ""


def slices(seed: int, actors: int = 4, held_out: float = 0.0) -> tuple[Any, Slices]:
    partition = Iid()(traits(data()), actors, generator(seed, Stream.PARTITION))
    draw = partial(generator, seed, Stream.SKEW)
    shards = Shards.create(data().train, partition)
    return partition.order, Slices(shards, NoSkew(), (4,), held_out, skew_draw=draw, held_out_draw=draw)


def test_a_division_is_who_owns_and_holds_out_which_rows() -> None:
    made = [slices(0), slices(1), slices(0, actors=5), slices(0, held_out=0.4)]
    assert len({division_of(*division)["division"] for division in made}) == len(made)
    made.append(slices(0))
    assert division_of(*made[-1]) == division_of(*made[0])
    for _, divided in made:
        divided.shards.close()
