"""Arrays of any kind become codes, float32 features and a held-out test set, or are refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.data import DataError, Dataset
from fedlocal.data.sources.assemble import Preparation, Raw, assemble, encode_labels
from fedlocal.data.sources.feature_scaling import fit_scaling
from fedlocal.data.sources.holdout import hold_out, hold_out_groups


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def build(x: Any, y: Any, test: Raw | None = None, **options: Any) -> Dataset:
    return assemble("mine", Raw(np.asarray(x), np.asarray(y)), test, rng(), Preparation(**options))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["cat", "ant", "cat", "bee"], ["ant", "bee", "cat"]),
        ([True, False, True, True], [False, True]),
        ([700, -3, 700, 12], [-3, 12, 700]),
        (np.array(["x", "y", "x", "y"], dtype=object), ["x", "y"]),
        (np.array([1, 0, 1, 0], np.uint8), [0, 1]),
    ],
)
def test_labels_of_any_type_become_codes(labels: Any, classes: list[Any]) -> None:
    labels = np.asarray(labels)
    encoded, (codes,) = encode_labels("mine", labels)
    assert encoded.tolist() == classes
    assert codes.dtype == np.int64
    assert encoded[codes].tolist() == labels.tolist()


def test_codes_are_common_to_training_and_test_rows() -> None:
    dataset = build(np.eye(4), [5, 9, 5, 9], Raw(np.eye(4), np.array([[9], [7], [9], [5]])))
    assert dataset.classes is not None
    assert dataset.classes.tolist() == [5, 7, 9]
    assert dataset.train.y.tolist() == [0, 2, 0, 2]
    assert dataset.test.y.tolist() == [2, 1, 2, 0]


def test_floating_point_labels_are_targets_unless_said_otherwise() -> None:
    y = np.array([1.0, 2.0] * 10)
    assert build(np.eye(20), y).classes is None
    classes = build(np.eye(20), y, task="classification").classes
    assert classes is not None
    assert classes.tolist() == [1.0, 2.0]
    assert build(np.eye(20), y.astype(int), task="regression").train.y.dtype == np.float32


@given(st.lists(st.integers(0, 3), min_size=2, max_size=80), st.floats(0.05, 0.95), st.integers(0, 99))
def test_held_out_rows_are_stratified(labels: list[int], fraction: float, seed: int) -> None:
    _, (codes,) = encode_labels("mine", np.array(labels))
    counts = np.bincount(codes)
    expected = np.clip(np.rint(fraction * counts), 0, counts - 1)
    if not expected.any():
        with pytest.raises(DataError, match="leaves no test row"):
            hold_out(codes, fraction, np.random.default_rng(seed))
        return
    train, test = hold_out(codes, fraction, np.random.default_rng(seed))
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(codes)))
    assert np.all(np.diff(train) > 0)
    assert np.bincount(codes[test], minlength=len(counts)).tolist() == expected.tolist()
    assert np.array_equal(test, hold_out(codes, fraction, np.random.default_rng(seed))[1])


def test_groups_follow_the_training_rows() -> None:
    x = np.arange(40.0).reshape(20, 2)
    raw = Raw(x, np.arange(20) % 2, np.arange(20))
    dataset = assemble("mine", raw, None, rng(), Preparation(scale="none"))
    assert dataset.groups is not None
    assert dataset.train.x[:, 0].tolist() == (2 * dataset.groups).tolist()


def test_standard_scale_is_that_of_the_training_rows() -> None:
    x = np.random.default_rng(1).normal(1e6, 50, (300, 3))
    x[:, 1] = 0.1
    scaled = fit_scaling(x, "standard")
    assert np.allclose(scaled(x).mean(axis=0), 0, atol=1e-4)
    assert np.allclose(scaled(x).std(axis=0), [1, 0, 1], atol=1e-4)
    assert scaled(x + 50)[:, 0].mean() == pytest.approx(1, abs=0.1)


def test_unit_scale_is_by_the_white_value_or_by_column() -> None:
    x = np.array([[0, 10], [255, 20]], np.uint8)
    assert fit_scaling(x, "unit", 255)(x).tolist() == [[0, np.float32(10 / 255)], [1, np.float32(20 / 255)]]
    assert fit_scaling(x, "unit", 0)(x).tolist() == [[0, 0], [1, 1]]
    assert fit_scaling(x, "none")(x).tolist() == x.tolist()


def test_large_tables_are_scaled_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(1).standard_normal((100, 3))
    whole = fit_scaling(x, "standard")(x)
    monkeypatch.setattr("fedlocal.data.features.CHUNK", 20)
    assert np.allclose(fit_scaling(x, "standard")(x), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: build(np.zeros(4), [0, 1, 0, 1]), r"mine: x has 1 dimension\(s\)"),
        (lambda: build(np.zeros((3, 2)), [0, 1]), "mine: x has 3 rows but y has 2"),
        (lambda: build(np.zeros((0, 2)), []), "no rows"),
        (lambda: build(np.zeros((2, 0)), [0, 1]), "no features"),
        (lambda: build(np.array([["a"], ["b"]]), [0, 1]), "x holds <U1"),
        (lambda: build([[np.nan, 0], [0, 0]], [0, 1]), r"mine, features: nan at index \[0, 0\]"),
        (lambda: build([[0, 0], [0, np.inf]], [0, 1]), r"inf at index \[1, 1\] \(1 such values\)"),
        (
            lambda: build([[0, 1e300]] * 10, [0, 1] * 5, scale="none"),
            r"mine: 1e\+300 in row 0, column 1, is too large for float32",
        ),
        (lambda: build([[0, 1e300]] * 5 + [[0, -1e300]] * 5, [0, 1] * 5), "column 1: 1e.300 is too large"),
        (
            lambda: build([[-1e308], [1e308]] * 5, [0, 1] * 5, scale="unit", white=0),
            "column 0: 1e.308 is too large",
        ),
        (lambda: build(np.eye(10), np.array(5)), "y is a single value"),
        (lambda: build(np.eye(10), [0, 1] * 5, hold_out="groups"), "hold_out=groups needs natural groups"),
        (lambda: build(np.eye(10), [0, 1] * 5, hold_out="all"), "hold_out='all'"),
        (lambda: build(np.eye(10), [np.nan] * 10, task="classification"), "mine, labels: nan"),
        (lambda: build(np.eye(10), [np.nan] * 10), "mine, targets: nan"),
        (lambda: build(np.eye(4), np.zeros((4, 2), int)), "one column"),
        (lambda: build(np.eye(4), ["a", "b"] * 2, task="regression"), "must be numbers"),
        (lambda: build(np.eye(4), np.array([1, "b"] * 2, object)), "different types"),
        (lambda: build(np.eye(4), [0, 1] * 2, task="clustering"), "task='clustering'"),
        (lambda: build(np.eye(10), [0, 1] * 5, scale="log"), "scale='log'"),
        (lambda: build(np.eye(10), [3] * 10), "fewer than 2 classes"),
        (lambda: build(np.eye(10), [0, 1] * 5, test_fraction=1.0), r"test_fraction=1\.0"),
        (lambda: build(np.eye(4), [0, 1] * 2, Raw(np.eye(3), np.arange(3))), r"\(4,\) and \(3,\)"),
        (lambda: build(np.eye(4), [0, 1] * 2, Raw(np.eye(4), np.arange(3))), "mine, test set: x has 4 rows"),
        (
            lambda: assemble("mine", Raw(np.eye(4), np.arange(4), np.arange(3)), None, rng()),
            r"groups has shape \(3,\)",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_arrays_that_make_no_data_set_are_refused(make: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make()


def test_numbers_are_a_constant_if_they_differ_by_rounding_alone() -> None:
    rounded = np.array([0.1, 0.1 + 2e-17, 0.1 - 2e-17, 0.1 + 1.4e-17] * 5)[:, None]
    assert fit_scaling(rounded, "standard").factor.tolist() == [1.0]
    assert fit_scaling(rounded + np.arange(20)[:, None] * 1e-12, "standard").factor[0] < 1e-11


def test_real_valued_targets_are_scaled_by_the_training_rows_and_come_back() -> None:
    y = np.random.default_rng(1).normal(1000, 50, (40, 2))
    dataset = build(np.eye(40), y)
    assert np.allclose(dataset.train.y.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(dataset.train.y.std(axis=0), 1, atol=1e-6)
    assert dataset.target_scaling
    back = np.sort(
        np.concatenate([dataset.target_scaling.inverse(p.y) for p in (dataset.train, dataset.test)]), 0
    )
    np.testing.assert_allclose(back, np.sort(y, axis=0), rtol=1e-6)
    mean = np.zeros_like(dataset.test.y)  # in scaled units
    raw = dataset.target_scaling.inverse(dataset.test.y) - dataset.target_scaling.shift
    assert dataset.rmse(mean) == pytest.approx(np.sqrt(np.square(raw).mean()))
    unscaled = build(np.eye(40), y, target_scale="none")
    assert unscaled.train.y.mean() == pytest.approx(1000, abs=30)


@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=60).filter(lambda ids: len(set(ids)) > 1),
    st.floats(0.01, 0.99),
    st.integers(0, 100),
)
def test_whole_groups_are_held_out(ids: list[int], fraction: float, seed: int) -> None:
    groups = np.array(ids)
    train, test = hold_out_groups(groups, fraction, np.random.default_rng(seed))
    assert sorted([*train, *test]) == list(range(len(ids)))
    assert len(train)
    assert len(test)
    assert not set(groups[train]) & set(groups[test])


def test_about_the_fraction_of_rows_is_held_out_in_groups() -> None:
    groups = np.repeat(np.arange(50), 4)
    assert len(hold_out_groups(groups, 0.2, rng())[1]) == 40
    with pytest.raises(DataError, match="there are 1 groups"):
        hold_out_groups(np.zeros(5), 0.2, rng())
