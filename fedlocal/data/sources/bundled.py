"""Data sets that come with scikit-learn: no download."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import Dataset
from fedlocal.data.sources.assemble import Preparation, Raw, assemble


def digits(*, rng: np.random.Generator, test_fraction: float = 0.2) -> Dataset:
    """Load 1,797 handwritten digits of 8 x 8 pixels (UCI "Optical Recognition of Handwritten Digits").

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the test rows.
    test_fraction : float
        Part of the rows that is held out, stratified by class.

    Returns
    -------
    Dataset
        Shape (8, 8), grey values divided by 16 to [0, 1], classes 0..9.
    """
    pixels, labels = _digits_from_file() or _digits_from_sklearn()
    how = Preparation(scale="unit", white=16, test_fraction=test_fraction)
    return assemble("digits", Raw(pixels.reshape(-1, 8, 8), labels), None, rng, how)


Arrays = tuple[NDArray[np.float64], NDArray[np.int64]]


def _digits_from_file() -> Arrays | None:
    """Read the file that scikit-learn would read; to import all of scikit-learn for it takes a second."""
    package = importlib.util.find_spec("sklearn")
    for folder in (package.submodule_search_locations or []) if package else []:
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            with gzip.open(file, "rt") as lines:
                table = np.loadtxt(lines, delimiter=",")
            return table[:, :-1], table[:, -1].astype(np.int64)
    return None


def _digits_from_sklearn() -> Arrays:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.data, bunch.target
