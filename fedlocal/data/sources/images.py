"""MNIST and Fashion-MNIST: from IDX files where there are any, otherwise downloaded once."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import Dataset
from fedlocal.data.errors import DataError
from fedlocal.data.sources.assemble import Preparation, Raw, assemble
from fedlocal.data.sources.download import cached_arrays, fetch_images
from fedlocal.data.sources.idx import read_idx

SYSTEM = Path("/usr/share/datasets")  # where Debian's dataset packages install
PARTS = ("train", "t10k")
TRAIN_ROWS = 60_000

Bytes = NDArray[np.uint8]
Labelled = tuple[Bytes, NDArray[Any]]


def mnist(
    *,
    rng: np.random.Generator,
    folder: str | None = None,
    cache: str | None = None,
    train: int | None = None,
) -> Dataset:
    """Load MNIST: 70,000 handwritten digits of 28 x 28 pixels, 10,000 of them for testing.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the training rows, if not all are asked for; the test set is fixed.
    folder : str or None
        Where the four IDX files are (``train-images-idx3-ubyte`` and so on, plain or ``.gz``); None: they are
        looked for where the system keeps data sets, else downloaded from openml.org once.
    cache : str or None
        Folder for the download; None: scikit-learn's ``data_home``.
    train : int or None
        How many of the training rows, drawn at random; None: all.

    Returns
    -------
    Dataset
        Shape (28, 28), grey values divided by 255 to [0, 1], classes 0..9.

    Raises
    ------
    DataError
        If files are missing or corrupt, or the download fails, and how else to get them; or if there are
        not so many training rows.
    """
    return _load(_Published("mnist", "mnist_784"), folder, cache, train, rng)


def fashion_mnist(
    *,
    rng: np.random.Generator,
    folder: str | None = None,
    cache: str | None = None,
    train: int | None = None,
) -> Dataset:
    """Load Fashion-MNIST [1]_: 70,000 articles of clothing of 28 x 28 pixels, 10,000 of them for testing.

    Its parameters, its result and its errors are those of `mnist`; Debian's package ``dataset-fashion-mnist``
    has its files.

    References
    ----------
    .. [1] H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
       Learning Algorithms", 2017.
    """
    published = _Published("fashion_mnist", "Fashion-MNIST", "dataset-fashion-mnist")
    return _load(published, folder, cache, train, rng)


@dataclass(frozen=True)
class _Published:
    """Under which names a data set is to be had: here, at openml.org, as a package of Debian."""

    name: str
    openml: str
    package: str | None = None

    @property
    def system(self) -> Path:
        return SYSTEM / self.name.replace("_", "-")


def _load(
    published: _Published,
    folder: str | None,
    cache: str | None,
    rows: int | None,
    rng: np.random.Generator,
) -> Dataset:
    name = published.name
    if folder is not None:
        train, test = (_read(Path(folder).expanduser(), part) for part in PARTS)
    elif _find(published.system, "train", 3):
        train, test = (_read(published.system, part) for part in PARTS)
    else:
        train, test = _openml_copy(published, cache)
    chosen = _sample(name, train, rows, rng)
    return assemble(name, Raw(*chosen), Raw(*test), rng, Preparation(scale="unit"))


def _sample(name: str, train: Labelled, rows: int | None, rng: np.random.Generator) -> Labelled:
    images, labels = train
    if rows is None:
        return train
    if not 1 <= rows <= len(images):
        raise DataError(f"{name}: train={rows}: must be from 1 to {len(images)}, or null for all")
    chosen = np.sort(rng.choice(len(images), rows, replace=False))
    return images[chosen], labels[chosen]


def _find(folder: Path, part: str, dimensions: int) -> Path | None:
    """Return the file of a part's images, of 3 dimensions, or labels, of 1, if it is there."""
    kind = "images" if dimensions == 3 else "labels"
    names = [f"{part}-{kind}{dot}idx{dimensions}-ubyte{end}" for end in ("", ".gz") for dot in "-."]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read(folder: Path, part: str) -> Labelled:
    arrays = []
    for kind, dimensions in (("images", 3), ("labels", 1)):
        path = _find(folder, part, dimensions)
        if path is None:
            raise DataError(
                f"{folder}: there is no {part}-{kind}-idx{dimensions}-ubyte, nor with .gz; give the folder "
                "that holds the IDX files"
            )
        arrays.append(read_idx(path, dimensions))
    images, labels = arrays
    if len(images) != len(labels):
        raise DataError(f"{folder}, {part} set: {len(images)} images, but {len(labels)} labels")
    return images, labels


def _openml_copy(published: _Published, cache: str | None) -> tuple[Labelled, Labelled]:
    arrays = cached_arrays(published.name, cache, partial(_download, published, cache))
    images, labels = arrays["images"], arrays["labels"]
    return (images[:TRAIN_ROWS], labels[:TRAIN_ROWS]), (images[TRAIN_ROWS:], labels[TRAIN_ROWS:])


def _download(published: _Published, cache: str | None, path: Path) -> dict[str, NDArray[Any]]:
    package = f" (Debian's package {published.package} does that)" if published.package else ""
    otherwise = (
        "Without network: put the four IDX files, train-images-idx3-ubyte.gz and so on, into a folder and "
        f"set dataset.folder=FOLDER, or into {published.system}{package}. With network: run once where "
        f"openml.org can be reached; the copy is kept as {path}."
    )
    images, labels = fetch_images(published.name, otherwise, cache, published.openml, (70_000, 784))
    return {"images": images.reshape(-1, 28, 28), "labels": labels}
