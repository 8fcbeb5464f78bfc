"""From numbers of rows to owners: the actor of each row."""

import numpy as np

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition.apportionment import Ints, raise_sizes
from fedlocal.data.partition.base import Traits, stable_order


def class_codes(traits: Traits, name: str) -> tuple[Ints, Ints]:
    """Return the codes of the classes that occur, int64[n] in 0..k-1, and how often each does, int64[k].

    Raises
    ------
    PartitionError
        If targets are real values; the message begins with the `name` of the strategy that asks.
    """
    if traits.classes is None:
        raise PartitionError(
            f"{name} needs class labels, but the target of this data set is real-valued: "
            "use partition=continuous, iid or one by size"
        )
    counts = np.bincount(traits.labels, minlength=len(traits.classes))
    rank = np.cumsum(counts > 0) - 1
    return rank[traits.labels], counts[counts > 0]


def deal(codes: Ints, allotted: Ints, rng: np.random.Generator) -> Ints:
    """Hand out the rows of each class at random, as many to each actor as it is allotted.

    `codes`, int64[n], are the rows' classes; row c of `allotted`, int64[k, actors], adds up to the rows of
    class c. Returns the owner of each row, int64[n].
    """
    k, actors = allotted.shape
    shuffled = rng.permutation(len(codes))
    by_class = shuffled[stable_order(codes[shuffled], k)]
    owner: Ints = cut(by_class, allotted.ravel()) % actors
    return owner


def cut(order: Ints, sizes: Ints) -> Ints:
    """Hand out rows in this order, the first ``sizes[0]`` to actor 0; return the owner of each row."""
    owner = np.empty(len(order), np.int64)
    owner[order] = np.repeat(np.arange(len(sizes)), sizes)
    return owner


def scatter(sizes: Ints, rng: np.random.Generator) -> Ints:
    """Hand out rows at random, ``sizes[i]`` of them to actor i; return the owner of each row."""
    return rng.permutation(np.repeat(np.arange(len(sizes)), sizes))


def raise_owners(owner: Ints, actors: int, min_size: int, rng: np.random.Generator) -> Ints:
    """Move rows from the largest parts, at random, to those below the minimum size.

    `owner`, int64[n], is not changed; the result is its like, with at least `min_size` rows of each actor, of
    which there are enough. Nothing is drawn if no row must move.
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
