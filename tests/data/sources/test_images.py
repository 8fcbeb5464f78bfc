"""MNIST and Fashion-MNIST are read from IDX files, or downloaded once; what is corrupt or absent is told."""

import gzip
import struct
import urllib.error
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fedlocal.data import DataError, Dataset
from fedlocal.data.sources import images
from fedlocal.data.sources.idx import read_idx
from fedlocal.datasets import fashion_mnist, mnist

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()


def some_images(n: int) -> NDArray[np.uint8]:
    return np.random.default_rng(n).integers(0, 256, (n, 4, 5), np.uint8)


def write(folder: Path, dot: str = "-", end: str = "") -> Path:
    pack = gzip.compress if end else bytes
    for part, n in (("train", 30), ("t10k", 10)):
        (folder / f"{part}-images{dot}idx3-ubyte{end}").write_bytes(pack(idx(some_images(n))))
        labels = (np.arange(n) % 10).astype(np.uint8)
        (folder / f"{part}-labels{dot}idx1-ubyte{end}").write_bytes(pack(idx(labels)))
    return folder


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("source", [mnist, fashion_mnist])
def test_files_in_a_folder_are_read(tmp_path: Path, source: Any, dot: str, end: str) -> None:
    dataset: Dataset = source(rng=rng(), folder=str(write(tmp_path, dot, end)))
    assert dataset.shape == (4, 5)
    assert (len(dataset.train), len(dataset.test), dataset.outputs) == (30, 10, 10)
    assert np.array_equal(dataset.train.x, some_images(30).reshape(30, 20) / np.float32(255))
    assert dataset.train.y.tolist() == [row % 10 for row in range(30)]


def test_fewer_training_rows_are_drawn_at_random_and_keep_their_labels(tmp_path: Path) -> None:
    folder = str(write(tmp_path))
    whole, some, same = (mnist(rng=rng(), folder=folder, train=train) for train in (None, 20, 20))
    chosen = [int(np.flatnonzero((whole.train.x == row).all(axis=1))[0]) for row in some.train.x]
    assert len(set(chosen)) == 20
    assert chosen == sorted(chosen) != list(range(20))
    assert np.array_equal(some.train.y, whole.train.y[chosen])
    assert np.array_equal(some.test.x, whole.test.x)
    assert np.array_equal(some.train.x, same.train.x)


@pytest.mark.parametrize("train", [0, 31])
def test_more_training_rows_than_there_are_are_refused(tmp_path: Path, train: int) -> None:
    with pytest.raises(DataError, match=f"train={train}: must be from 1 to 30, or null"):
        mnist(rng=rng(), folder=str(write(tmp_path)), train=train)


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_the_real_fashion_mnist_is_found() -> None:
    dataset = fashion_mnist(rng=rng())
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((60_000, 784), (10_000, 784))
    assert dataset.shape == (28, 28)
    assert np.bincount(dataset.train.y).tolist() == [6000] * 10
    assert dataset.train.x.mean() == pytest.approx(0.2860, abs=1e-4)  # as published
    assert dataset.train.x.std() == pytest.approx(0.3530, abs=1e-4)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=f"there is no {name}"):
        mnist(rng=rng(), folder=str(tmp_path))


def test_images_without_their_labels_are_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(29, np.uint8)))
    with pytest.raises(DataError, match=r"30 images, .* 29 labels"):
        mnist(rng=rng(), folder=str(tmp_path))


def test_images_of_different_sizes_are_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((10, 2, 2), np.uint8)))
    with pytest.raises(DataError, match=r"\(4, 5\) and \(2, 2\)"):
        mnist(rng=rng(), folder=str(tmp_path))


HUGE = struct.pack(">4I", 0x0803, 2**32 - 1, 2**32 - 1, 2**32 - 1)
GOOD = idx(some_images(3))


def compressed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # or tests would have other names each time


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a", idx(np.zeros(60, np.uint8)), "begins with 2049, .* with 2051"),
        ("a", b"<html>not found</html>", "begins with"),
        ("a", GOOD[:10], "cut off within its header of 16 bytes"),
        ("a", b"", "cut off"),
        ("a", GOOD[:-1], "announces 60 bytes of data, but the file has 75 in all"),
        ("a", GOOD + b"!", "announces 60 bytes"),
        ("a", HUGE + bytes(60), "announces 79228162458924105385300197375 bytes"),
        ("a", struct.pack(">4I", 0x0803, 0, 28, 28), "announces no data"),
        ("a.gz", compressed(GOOD[:-1]), "announces 60 bytes of data, holds only 59"),
        ("a.gz", compressed(GOOD + b"!"), "announces 60 bytes of data, holds more"),
        ("a.gz", compressed(HUGE + bytes(60)), "announces 79228162458924105385300197375 bytes"),
        ("a.gz", GOOD, "cannot be read: Not a gzipped file"),
        ("a.gz", compressed(GOOD)[:-12], "cannot be read: Compressed file ended"),
        ("a.gz", compressed(GOOD)[:30] + bytes(30), "cannot be read"),
        ("a.gz", b"", "cut off within its header"),
    ],
)
def test_a_corrupt_file_is_named_with_the_reason(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path, 3)
    assert str(path) in str(caught.value)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read"):
        read_idx(tmp_path, 3)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an empty cache; no data sets are installed on this system."""
    monkeypatch.setattr(images, "SYSTEM", tmp_path / "system")
    return tmp_path / "cache"


FAILURES = [
    urllib.error.URLError(OSError(-2, "Name or service not known")),
    urllib.error.HTTPError("https://openml.org", 503, "Service Unavailable", {}, None),  # type: ignore[arg-type]
    TimeoutError("timed out"),
    ConnectionResetError(104, "Connection reset by peer"),
]


@pytest.mark.filterwarnings("ignore:Invalid cache")  # scikit-learn's guess at the cause of a time-out
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_without_network_the_error_names_both_ways_to_get_the_data(
    monkeypatch: pytest.MonkeyPatch, nowhere: Path, failure: Exception
) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise failure

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", fail)
    monkeypatch.setattr("sklearn.datasets._openml.time.sleep", lambda _seconds: None)
    with pytest.raises(DataError) as caught:
        fashion_mnist(rng=rng(), cache=str(nowhere))
    for words in (
        "cannot be reached",
        "dataset.folder=FOLDER",
        "dataset-fashion-mnist",
        "run once",
        str(nowhere),
    ):
        assert words in str(caught.value)


def test_a_download_is_kept_and_not_repeated(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    calls = []

    def served(**options: Any) -> SimpleNamespace:
        calls.append(options)
        pixels = np.zeros((70_000, 784), np.uint8)
        pixels[:, 3] = 255
        return SimpleNamespace(data=pixels, target=np.array([str(row % 10) for row in range(70_000)], object))

    monkeypatch.setattr("sklearn.datasets.fetch_openml", served)
    for _ in range(2):
        dataset = mnist(rng=rng(), cache=str(nowhere))
        assert (len(dataset.train), len(dataset.test), dataset.shape) == (60_000, 10_000, (28, 28))
        assert dataset.train.x[7, 3] == 1
        assert dataset.train.y[:11].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert [(call["name"], call["version"], call["as_frame"]) for call in calls] == [("mnist_784", 1, False)]
    assert [path.name for path in (nowhere / "fedlocal").iterdir()] == ["mnist.npz"]


def test_a_damaged_copy_is_named(nowhere: Path) -> None:
    kept = nowhere / "fedlocal" / "mnist.npz"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(DataError, match=r"mnist\.npz: .* the kept download is damaged, delete it"):
        mnist(rng=rng(), cache=str(nowhere))


def test_another_table_under_that_name_is_refused(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    other = SimpleNamespace(data=np.zeros((2, 3)), target=np.zeros(2))
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **_options: other)
    with pytest.raises(DataError, match=r"OpenML sent \(2, 3\)"):
        mnist(rng=rng(), cache=str(nowhere))


def test_a_cache_that_cannot_be_used_is_refused(nowhere: Path) -> None:
    nowhere.write_bytes(b"a file, not a folder")
    with pytest.raises(DataError, match=r"download cannot be kept .* dataset.cache=FOLDER"):
        mnist(rng=rng(), cache=str(nowhere))
