"""A person's own arrays are loaded as they are meant, and no code in them is run."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedlocal.data import Column, DataError, Dataset
from fedlocal.datasets import npz


def load(path: Path, **options: Any) -> Dataset:
    return npz(rng=np.random.default_rng(0), path=str(path), **options)


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "mine.npz", **arrays)
    return folder / "mine.npz"


def test_images_keep_their_shape_and_are_scaled_to_one(tmp_path: Path) -> None:
    x = np.random.default_rng(1).integers(0, 256, (20, 3, 4, 2), np.uint8)
    dataset = load(save(tmp_path, x=x, y=np.arange(20) % 2))
    assert (dataset.name, dataset.shape, dataset.inputs) == ("mine", (3, 4, 2), 24)
    assert dataset.train.x.max() <= 1
    assert (len(dataset.train), len(dataset.test)) == (16, 4)


def test_tables_are_standardised(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(5, 3, (100, 4))
    dataset = load(save(tmp_path, x=x, y=np.array(["a", "b"] * 50)))
    assert np.allclose(dataset.train.x.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(dataset.train.x.std(axis=0), 1, atol=1e-6)
    assert dataset.classes is not None
    assert dataset.classes.tolist() == ["a", "b"]


def test_raw_rows_that_come_later_are_scaled_as_the_training_rows_were(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(5, 3, (20, 4))
    y = np.arange(20) % 2
    dataset = load(save(tmp_path, x=x, y=y, x_test=x, y_test=y))
    assert dataset.scaling
    np.testing.assert_array_equal(dataset.scaling(x[7:9]), dataset.test.x[7:9])


def test_features_may_have_names(tmp_path: Path) -> None:
    x, y = np.random.default_rng(1).normal(0, 1, (20, 4)), np.arange(20) % 2
    dataset = load(save(tmp_path, x=x, y=y, columns=np.array(["a", "b", "c", "d"])))
    assert dataset.columns == tuple(map(Column, "abcd"))
    with pytest.raises(DataError, match="mine: 2 named columns, 4 features"):
        load(save(tmp_path, x=x, y=y, columns=np.array(["a", "b"])))


@pytest.mark.parametrize(("scale", "least", "greatest"), [("unit", 0, 1), ("none", 2, 11)])
def test_the_scale_can_be_chosen(tmp_path: Path, scale: str, least: float, greatest: float) -> None:
    path = save(tmp_path, x=np.arange(2, 12.0)[:, None], y=np.arange(10) % 2, x_test=[[2.0]], y_test=[0])
    train = load(path, scale=scale).train.x
    assert (train.min(), train.max()) == (least, greatest)


def test_a_given_test_set_and_groups_are_used(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        x=np.eye(4),
        y=np.arange(4) % 2,
        x_test=np.eye(4)[:3],
        y_test=[0, 1, 1],
        groups=["u", "v"] * 2,
    )
    dataset = load(path)
    assert dataset.test.y.tolist() == [0, 1, 1]
    assert dataset.groups is not None
    assert dataset.groups.tolist() == ["u", "v", "u", "v"]


def test_real_valued_targets_stay_real(tmp_path: Path) -> None:
    dataset = load(save(tmp_path, x=np.eye(10), y=np.linspace(0, 1, 20).reshape(10, 2)))
    assert (dataset.classes, dataset.outputs, dataset.train.y.shape) == (None, 2, (8, 2))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.eye(3)}, r"holds \['x'\], lacks y"),
        ({"a": np.eye(3)}, "lacks x and y"),
        ({"x": np.eye(3), "y": np.arange(2)}, "x has 3 rows but y has 2"),
        ({"x": np.eye(3), "y": np.arange(3), "x_test": np.eye(3)}, "x_test and y_test go together"),
        (
            {"x": np.eye(3), "y": np.array([1, "a", None], object)},
            "cannot be read as plain arrays",
        ),
    ],
)
def test_a_file_with_the_wrong_arrays_is_refused(tmp_path: Path, arrays: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(save(tmp_path, **arrays))


def test_a_file_that_is_not_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("x,y")
    with pytest.raises(DataError, match=r"cannot be read as plain arrays"):
        load(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", np.eye(2))
    with pytest.raises(DataError, match=r"is a single array"):
        load(tmp_path / "one.npy")
    with pytest.raises(DataError, match=r"there is no such file; dataset.path"):
        load(tmp_path / "none.npz")
    cut = save(tmp_path, x=np.eye(50), y=np.arange(50))
    cut.write_bytes(cut.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"cannot be read"):
        load(cut)


def test_files_that_no_savez_wrote_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    good = save(tmp_path, x=np.eye(4), y=np.arange(4)).read_bytes()

    def encrypted() -> None:
        bits = good.replace(b"PK\x03\x04" + good[4:6] + b"\0\0", b"PK\x03\x04" + good[4:6] + b"\1\0")
        path.write_bytes(bits.replace(b"PK\x01\x02" + good[4:6], b"PK\x01\x02" + good[4:6]))
        content = bytearray(path.read_bytes())
        at = content.find(b"PK\x01\x02")
        while at >= 0:
            content[at + 8] |= 1
            at = content.find(b"PK\x01\x02", at + 1)
        path.write_bytes(bytes(content))

    def foreign() -> None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("notes.txt", "hello")

    def enormous() -> None:
        header = str({"descr": "<f8", "fortran_order": False, "shape": (10**13, 2)}).ljust(117) + "\n"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode())

    for damage, reason in [
        (encrypted, "encrypted"),
        (foreign, r"its member 'notes\.txt' is no array"),
        (enormous, r"announces 160000000000000 bytes, shape \(10000000000000, 2\), but holds 0"),
    ]:
        path.write_bytes(good)
        damage()
        with pytest.raises(DataError, match=reason) as caught:
            load(path)
        assert "\n" not in str(caught.value)
