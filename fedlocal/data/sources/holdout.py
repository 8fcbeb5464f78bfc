"""A held-out test set for data that have none."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import DataError

HoldOut = Literal["rows", "groups"]
"""The kind of test set: rows of all natural groups, or whole groups that no actor has."""


def hold_out(
    strata: NDArray[np.int64], fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the rows of a test set, the same fraction, between 0 and 1, of each stratum.

    `strata`, int64[n], are class codes 0..k-1, of which each keeps at least one training row; all 0: a plain
    random sample. Returns the row numbers for training and for testing, ascending, neither empty.

    Raises
    ------
    DataError
        If no row is left for one of them.
    """
    _check_fraction(fraction)
    counts = np.bincount(strata)
    held = np.clip(np.rint(fraction * counts), 0, counts - 1).astype(np.int64)
    if not held.any():
        raise DataError(
            f"test_fraction={fraction} of classes with at most {counts.max()} rows leaves no test row"
        )
    shuffled = rng.permutation(len(strata))
    by_class = shuffled[np.argsort(strata[shuffled], kind="stable")]
    rank = np.arange(len(strata)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = np.zeros(len(strata), bool)
    chosen[by_class[rank < np.repeat(held, counts)]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def hold_out_groups(
    groups: NDArray[Any], fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw whole groups for a test set, as many as come nearest to a fraction of the rows.

    As `hold_out`, with each row's natural group instead of its stratum; each side has at least one group.

    Raises
    ------
    DataError
        If there are fewer than two groups.
    """
    _check_fraction(fraction)
    ids, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(ids) < 2:
        raise DataError(f"hold_out=groups: there are {len(ids)} groups, at least 2 are needed")
    order = rng.permutation(len(ids))
    held = np.cumsum(sizes[order])[:-1]  # one group is left to train on
    number = 1 + int(np.argmin(np.abs(held - fraction * len(groups))))
    chosen = np.isin(codes, order[:number])
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise DataError(f"test_fraction={fraction}, expected a number between 0 and 1")
