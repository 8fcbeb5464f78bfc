"""From numbers of rows to owners: the actor of each row."""

import numpy as np

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition.apportionment import Ints, raise_sizes
from fedlocal.data.partition.base import Traits, stable_order


def class_codes(traits: Traits, name: str) -> tuple[Ints, Ints]:
    """Return the codes of the classes that occur, and how often each does.

    Parameters
    ----------
    traits : Traits
        Must have class labels.
    name : str
        The strategy that asks, for the message.

    Returns
    -------
    codes : ndarray of int64, shape (n,)
        In 0..k-1, where k counts only classes with at least one row.
    counts : ndarray of int64, shape (k,)
        Rows of each class, all positive.
    """
    if traits.classes is None:
        raise PartitionError(
            f"{name} needs class labels, but the target of this data set is real-valued: "
            "use partition=continuous, iid or one by size"
        )
    counts = np.bincount(traits.labels, minlength=len(traits.classes))
    rank = np.cumsum(counts > 0) - 1
    return rank[traits.labels], counts[counts > 0]


def check_minimum(traits: Traits, actors: int, min_size: int) -> None:
    """Refuse a minimum size that the rows do not suffice for."""
    if min_size * actors > len(traits):
        raise PartitionError(
            f"min_size={min_size} for {actors} actors needs {min_size * actors} training rows, "
            f"there are {len(traits)}"
        )


def deal(codes: Ints, allotted: Ints, rng: np.random.Generator) -> Ints:
    """Hand out the rows of each class at random, as many to each actor as it is allotted.

    Parameters
    ----------
    codes : ndarray of int64, shape (n,)
        Class of each row, 0..k-1.
    allotted : ndarray of int64, shape (k, actors)
        Rows of each class for each actor; row c adds up to the rows of class c.
    rng : numpy.random.Generator
        Shuffles the rows.

    Returns
    -------
    ndarray of int64, shape (n,)
        Owner of each row.
    """
    k, actors = allotted.shape
    shuffled = rng.permutation(len(codes))
    by_class = shuffled[stable_order(codes[shuffled], k)]
    owner = np.empty(len(codes), np.int64)
    owner[by_class] = np.repeat(np.tile(np.arange(actors), k), allotted.ravel())
    return owner


def scatter(sizes: Ints, rng: np.random.Generator) -> Ints:
    """Hand out rows at random, ``sizes[i]`` of them to actor i; return the owner of each row."""
    return rng.permutation(np.repeat(np.arange(len(sizes)), sizes))


def raise_owners(owner: Ints, actors: int, min_size: int, rng: np.random.Generator) -> Ints:
    """Move rows from the largest parts to those below the minimum size.

    Parameters
    ----------
    owner : ndarray of int64, shape (n,)
        Owner of each row, not changed.
    actors, min_size : int
        ``actors * min_size`` is at most n.
    rng : numpy.random.Generator
        Picks which rows of a large part move; used only if any must.

    Returns
    -------
    ndarray of int64, shape (n,)
        Owner of each row; every actor has at least `min_size`.
    """
    sizes = np.bincount(owner, minlength=actors)
    change = raise_sizes(sizes, min_size) - sizes
    if not change.any():
        return owner
    shuffled = rng.permutation(len(owner))
    by_owner = shuffled[stable_order(owner[shuffled], actors)]
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    moving = by_owner[rank < np.repeat(-change, sizes)]
    repaired = owner.copy()
    repaired[moving] = np.repeat(np.arange(actors), np.maximum(change, 0))
    return repaired
