"""A partition: the training rows of each actor, disjoint and complete, checked always.

A strategy sees only the `Traits` of a data set (labels and groups), never its features.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import PartitionError


@dataclass(frozen=True, eq=False)
class Partition:
    """The training rows, ordered by the actor that owns them.

    Parameters
    ----------
    order : ndarray of int64, shape (n,)
        A permutation of the row numbers; they ascend within each part.
    offsets : ndarray of int64, shape (actors + 1,)
        Part i is ``order[offsets[i]:offsets[i + 1]]``. Starts at 0, ends at n, never falls.

    Raises
    ------
    PartitionError
        If the parts are not disjoint, complete and ascending.
    """

    order: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("order", "offsets"):
            object.__setattr__(self, name, _read_only(name, getattr(self, name)))
        _check_offsets(self.offsets, len(self.order))
        _check_permutation(self.order)
        _check_ascending(self.order, self.offsets)

    @classmethod
    def from_owner(cls, owner: NDArray[np.int64], actors: int) -> "Partition":
        """Build the partition in which row r belongs to actor ``owner[r]``; parts may be empty."""
        if len(owner) and (owner.min() < 0 or owner.max() >= actors):
            raise PartitionError(f"owners must lie in 0..{actors - 1}, got {owner.min()}..{owner.max()}")
        offsets = np.zeros(actors + 1, np.int64)
        np.cumsum(np.bincount(owner, minlength=actors), out=offsets[1:])
        return cls(stable_order(owner, actors), offsets)

    def indices(self, partition_id: int) -> NDArray[np.int64]:
        """Return the rows of one part, ascending; a read-only view."""
        if not 0 <= partition_id < len(self):
            raise PartitionError(
                f"partition {partition_id} does not exist: they are numbered 0..{len(self) - 1}"
            )
        return self.order[self.offsets[partition_id] : self.offsets[partition_id + 1]]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of rows of each part, shape (actors,)."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, eq=False)
class Traits:
    """The facts of a data set that a strategy may know.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        int64 class codes, or floating-point targets when `classes` is None.
    classes : ndarray of shape (k,) or None
        Original label of each code; None: the target is real-valued.
    groups : ndarray of shape (n,) or None
        Natural group id of each row.

    Raises
    ------
    PartitionError
        If the lengths differ or a code names no class.
    """

    labels: NDArray[Any]
    classes: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if self.labels.ndim != 1:
            raise PartitionError(f"labels must have one dimension, got {self.labels.ndim}")
        if self.groups is not None and self.groups.shape != self.labels.shape:
            raise PartitionError(f"groups has shape {self.groups.shape}, labels {self.labels.shape}")
        if self.classes is not None and len(self.labels):
            if self.labels.dtype.kind not in "iu":
                raise PartitionError(f"class codes must be integers, got {self.labels.dtype}")
            if self.labels.min() < 0 or self.labels.max() >= len(self.classes):
                raise PartitionError(f"class codes must lie in 0..{len(self.classes) - 1}")

    def __len__(self) -> int:
        return len(self.labels)


class PartitionStrategy(Protocol):
    """Anything that divides a data set among actors."""

    def __call__(self, traits: Traits, actors: int, rng: np.random.Generator) -> Partition:
        """Return a disjoint and complete partition; the same generator state gives the same one."""
        ...


class OwnerRule(ABC):
    """A strategy that names the owner of each row; what holds for all of them is checked here.

    One actor owns everything, in the original order, whatever the rule. Where a rule has an attribute
    ``min_size``, the least rows of an actor, a data set with too few rows for it is refused.
    """

    def __call__(self, traits: Traits, actors: int, rng: np.random.Generator) -> Partition:
        """Divide n rows among 1..n actors; all randomness is of `rng`.

        Raises
        ------
        PartitionError
            If the request is impossible; the message says why.
        """
        if not 1 <= actors <= len(traits):
            raise PartitionError(
                f"actors={actors} cannot share {len(traits)} training rows: choose 1..{len(traits)} actors"
            )
        if actors == 1:
            return Partition.from_owner(np.zeros(len(traits), np.int64), 1)
        least = getattr(self, "min_size", 1)
        if least * actors > len(traits):
            raise PartitionError(
                f"min_size={least} for {actors} actors needs {least * actors} training rows, "
                f"there are {len(traits)}"
            )
        return Partition.from_owner(self.owners(traits, actors, rng), actors)

    @abstractmethod
    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the owner of each row, int64 of shape (n,), for two actors or more."""


def stable_order(keys: NDArray[np.int64], bound: int) -> NDArray[np.int64]:
    """Return the stable sorting order of keys in 0..bound-1.

    NumPy sorts 16-bit keys by radix, several times faster than wider ones.
    """
    narrow = keys.astype(np.uint16) if bound <= 1 << 16 else keys
    return np.argsort(narrow, kind="stable")


def _read_only(name: str, values: NDArray[np.int64]) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise PartitionError(
            f"{name} must be a one-dimensional integer array, got {array.dtype} {array.shape}"
        )
    view = array.astype(np.int64, copy=False).view()
    view.flags.writeable = False
    return view


def _check_offsets(offsets: NDArray[np.int64], n: int) -> None:
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != n or np.any(np.diff(offsets) < 0):
        raise PartitionError(
            f"offsets must rise from 0 to the number of rows, {n}, and name at least one part"
        )


def _check_permutation(order: NDArray[np.int64]) -> None:
    n = len(order)
    if n and (order.min() < 0 or order.max() >= n):
        raise PartitionError(f"row numbers must lie in 0..{n - 1}, got {order.min()}..{order.max()}")
    if np.any(np.bincount(order, minlength=n) != 1):
        raise PartitionError("parts must be disjoint and complete: each row in exactly one part")


def _check_ascending(order: NDArray[np.int64], offsets: NDArray[np.int64]) -> None:
    rises = np.diff(order, prepend=-1) > 0
    starts = offsets[:-1]
    rises[starts[starts < len(order)]] = True
    if not rises.all():
        raise PartitionError("row numbers must ascend within each part")
