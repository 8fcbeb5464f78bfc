"""Data sets that come with scikit-learn: no download."""

import numpy as np

from fedlocal.data.dataset import Dataset
from fedlocal.data.sources.assemble import Raw, assemble


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
    from sklearn.datasets import load_digits

    bunch = load_digits()
    raw = Raw(bunch.images, bunch.target)
    return assemble("digits", raw, None, rng, scale="unit", white=16, test_fraction=test_fraction)
