"""A data set holds together or is refused, naming the place."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fedlocal.data import DataError, Dataset, Rows, traits


def labelled(n: int, d: int = 4, k: int = 3) -> Rows:
    rng = np.random.default_rng(n)
    return Rows(rng.standard_normal((n, d), np.float32), np.arange(n) % k)


def real(n: int, t: int = 2) -> Rows:
    rng = np.random.default_rng(n)
    return Rows(rng.standard_normal((n, 4), np.float32), rng.standard_normal((n, t), np.float32))


def test_a_labelled_data_set_knows_its_inputs_and_outputs() -> None:
    dataset = Dataset("mine", labelled(9), labelled(5), np.array(["a", "b", "c"]), (2, 2))
    assert (dataset.inputs, dataset.outputs, len(dataset.train)) == (4, 3, 9)


def test_a_data_set_with_real_targets_has_one_output_for_each_target() -> None:
    assert Dataset("mine", real(9), real(5), None, (4,)).outputs == 2


def test_traits_are_labels_and_groups_of_the_training_rows() -> None:
    groups = np.arange(9) % 2
    seen = traits(Dataset("mine", labelled(9), labelled(5), np.arange(3), (4,), groups))
    assert seen.labels.tolist() == (np.arange(9) % 3).tolist()
    assert seen.groups is groups
    assert len(seen) == 9


def test_traits_of_several_targets_are_the_first() -> None:
    dataset = Dataset("mine", real(9), real(5), None, (4,))
    assert np.array_equal(traits(dataset).labels, dataset.train.y[:, 0])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 2)), np.zeros(3, np.int64), "x must be a C-contiguous float32"),
        (np.zeros(3, np.float32), np.zeros(3, np.int64), "x must be"),
        (np.zeros((2, 3), np.float32).T, np.zeros(3, np.int64), "x must be"),
        (np.zeros((3, 2), np.float32), np.zeros(3, np.int32), r"y must be .* int32 \[3\]"),
        (np.zeros((3, 2), np.float32), np.zeros(3, np.float32), "y must be"),
        (np.zeros((3, 2), np.float32), np.zeros(4, np.int64), "x has 3 rows but y has 4"),
    ],
)
def test_rows_of_the_wrong_kind_are_refused(
    x: NDArray[np.float32], y: NDArray[np.int64], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Rows(x, y)


def with_nan(rows: Rows) -> Rows:
    x = rows.x.copy()
    x[2, 1] = np.nan
    return Rows(x, rows.y)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (lambda: Dataset("d", labelled(0), labelled(5), np.arange(3), (4,)), "d, train set: no rows"),
        (lambda: Dataset("d", labelled(9), labelled(0), np.arange(3), (4,)), "d, test set: no rows"),
        (lambda: Dataset("d", labelled(9), labelled(5, d=3), np.arange(3), (4,)), "test set: 3 features"),
        (lambda: Dataset("d", labelled(9), labelled(5), np.arange(3), (3,)), r"4 features .* \(3,\)"),
        (
            lambda: Dataset("d", with_nan(labelled(9)), labelled(5), np.arange(3), (4,)),
            r"nan at index \[2, 1\]",
        ),
        (
            lambda: Dataset("d", labelled(9), with_nan(labelled(5)), np.arange(3), (4,)),
            "test set, features: nan",
        ),
        (lambda: Dataset("d", labelled(9, k=1), labelled(5), np.arange(3), (4,)), "fewer than 2 classes"),
        (lambda: Dataset("d", labelled(9), labelled(5), np.arange(2), (4,)), r"class codes .* 0\.\.1"),
        (lambda: Dataset("d", real(9), real(5), np.arange(2), (4,)), "class codes"),
        (lambda: Dataset("d", real(9), real(5, t=1), None, (4,)), "real targets"),
        (
            lambda: Dataset("d", labelled(9), labelled(5), np.arange(3), (4,), np.arange(8)),
            "groups has shape",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(dataset: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        dataset()  # type: ignore[operator]
