"""CIFAR-10 is read from its binary version, or downloaded once; what is damaged or absent is told."""

import urllib.error
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fedlocal.data import DataError
from fedlocal.data.sources import cifar
from fedlocal.datasets import cifar10

FILES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def records(number: int) -> NDArray[np.uint8]:
    """Return ten records: a label, then a picture that is red in its first row and blue in its last."""
    made = np.zeros((10, 3073), np.uint8)
    made[:, 0] = np.arange(10)
    made[:, 1:33] = 255
    made[:, 3073 - 32 :] = 51 * number % 256
    return made


def write(folder: Path) -> Path:
    for number, name in enumerate(FILES):
        (folder / name).write_bytes(records(number).tobytes())
    return folder


def test_the_binary_version_comes_with_its_test_set(tmp_path: Path) -> None:
    dataset = cifar10(rng=rng(), folder=str(write(tmp_path)))
    assert (len(dataset.train), len(dataset.test), dataset.shape) == (50, 10, (32, 32, 3))
    assert dataset.train.y.tolist() == [*range(10)] * 5
    picture = dataset.train.x[10].reshape(32, 32, 3)
    np.testing.assert_allclose(picture[0, 0], [1, 0, 0])
    np.testing.assert_allclose(picture[-1, -1], [0, 0, 0.2])
    np.testing.assert_allclose(dataset.test.x[3].reshape(32, 32, 3)[-1, -1], [0, 0, 1])


@pytest.mark.parametrize("name", [FILES[2], FILES[-1]])
@pytest.mark.parametrize("damage", ["gone", "short", "empty", "label"])
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, name: str, damage: str) -> None:
    content = {"short": bytes(3072), "empty": b"", "label": bytes([10]) * 3073}
    path = write(tmp_path) / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[damage])
    with pytest.raises(DataError, match=name):
        cifar10(rng=rng(), folder=str(tmp_path))


def test_a_download_is_kept_and_divided_by_class(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = []

    def served(**options: Any) -> SimpleNamespace:
        calls.append(options)
        table = np.zeros((600, 3072), np.uint8)
        table[:, 2048] = 255
        return SimpleNamespace(data=table, target=np.array([str(row % 10) for row in range(600)], object))

    monkeypatch.setattr(cifar, "ROWS", 600)  # of 60,000
    monkeypatch.setattr("sklearn.datasets.fetch_openml", served)
    for _ in range(2):
        dataset = cifar10(rng=rng(), cache=str(tmp_path), test_fraction=0.25)
        assert (len(dataset.train), len(dataset.test)) == (450, 150)
        assert np.bincount(dataset.train.y).tolist() == [45] * 10
        np.testing.assert_array_equal(dataset.train.x[7].reshape(32, 32, 3)[0, 0], [0, 0, 1])
    assert [(call["name"], call["version"]) for call in calls] == [("CIFAR_10", 1)]


def test_another_table_under_that_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = SimpleNamespace(data=np.zeros((20, 3)), target=np.zeros(20))
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **_options: other)
    with pytest.raises(DataError, match=r"OpenML sent \(20, 3\)"):
        cifar10(rng=rng(), cache=str(tmp_path))


def test_without_network_the_error_names_both_ways_to_get_the_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(**_options: Any) -> None:
        raise urllib.error.URLError(OSError(-2, "Name or service not known"))

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fail)
    with pytest.raises(DataError) as caught:
        cifar10(rng=rng(), cache=str(tmp_path))
    for words in ("cannot be reached", "dataset.folder=FOLDER", "data_batch_1.bin", str(tmp_path)):
        assert words in str(caught.value)
