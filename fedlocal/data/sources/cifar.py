"""CIFAR-10: from the files of its binary version where they are, otherwise downloaded once."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import Dataset
from fedlocal.data.errors import DataError
from fedlocal.data.sources.assemble import Preparation, Raw, assemble
from fedlocal.data.sources.download import cached_arrays, fetch_images

TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
ROWS, PIXELS = 60_000, 3072
PLANES = (3, 32, 32)  # as it is published: red, then green, then blue

Bytes = NDArray[np.uint8]


def cifar10(
    *,
    rng: np.random.Generator,
    folder: str | None = None,
    test_fraction: float = 0.2,
    cache: str | None = None,
) -> Dataset:
    """Load CIFAR-10 [1]_: 60,000 coloured pictures of ten kinds of things, 32 x 32 pixels each.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the test rows of the download.
    folder : str or None
        Where the six files of the binary version are (``data_batch_1.bin`` and so on); 50,000 pictures are
        then for training and the published 10,000 for testing. None: downloaded from openml.org once, which
        does not tell them apart.
    test_fraction : float
        Part of the download that is held out, stratified by class.
    cache : str or None
        Folder for the download; None: scikit-learn's ``data_home``.

    Returns
    -------
    Dataset
        Shape (32, 32, 3), values divided by 255 to [0, 1], classes 0..9.

    Raises
    ------
    DataError
        If files are missing or damaged, or the download fails, and how else to get them.

    References
    ----------
    .. [1] A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    if folder is not None:
        path = Path(folder).expanduser()
        parts = [_read(path / name) for name in TRAIN_FILES]
        train = _pictures(np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]))
        test = _pictures(*_read(path / TEST_FILE))
        return assemble("cifar10", train, test, rng, Preparation(scale="unit"))
    arrays = cached_arrays("cifar10", cache, partial(_download, cache))
    whole = _pictures(arrays["planes"], arrays["labels"])
    return assemble("cifar10", whole, None, rng, Preparation(scale="unit", test_fraction=test_fraction))


def _pictures(planes: Bytes, labels: NDArray[Any]) -> Raw:
    return Raw(planes.reshape(-1, *PLANES).transpose(0, 2, 3, 1), labels.astype(np.int64))


def _read(path: Path) -> tuple[Bytes, Bytes]:
    """Return the planes and labels in a file of the binary version: one byte of label before each picture."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error}); give the folder of the six files of the binary version"
        ) from error
    if not len(content) or len(content) % (PIXELS + 1) or content[:: PIXELS + 1].max() > 9:
        raise DataError(
            f"{path}: {len(content)} bytes are not pictures of {PIXELS} bytes, each after a label from 0 to 9"
        )
    records = content.reshape(-1, PIXELS + 1)
    return records[:, 1:], records[:, 0]


def _download(cache: str | None, path: Path) -> dict[str, NDArray[Any]]:
    otherwise = (
        "Without network: put the six files of the binary version, data_batch_1.bin and so on, into a folder "
        "and set dataset.folder=FOLDER. With network: run once where openml.org can be reached; the copy is "
        f"kept as {path}."
    )
    planes, labels = fetch_images("cifar10", otherwise, cache, "CIFAR_10", (ROWS, PIXELS))
    return {"planes": planes, "labels": labels}
