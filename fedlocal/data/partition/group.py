"""Parts along a natural id: a person, a device, a place."""

import heapq
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition.apportionment import Ints, equal_sizes
from fedlocal.data.partition.base import OwnerRule, Traits
from fedlocal.data.partition.checks import check_choice


@dataclass(frozen=True)
class Group(OwnerRule):
    """All rows of a natural group belong to one actor; an actor may own several groups, never part of one.

    Parameters
    ----------
    merge : {"contiguous", "balanced", "strict"}
        What happens when there are more groups than actors. "contiguous": groups in the order of their ids,
        almost equally many an actor, as in Flower Datasets. "balanced": the largest group first, each to the
        actor with fewest rows. "strict": refused, actor i owns the i-th group.

    References
    ----------
    .. [1] ``NaturalIdPartitioner`` and ``GroupedNaturalIdPartitioner`` of Flower Datasets.
    """

    merge: Literal["contiguous", "balanced", "strict"] = "contiguous"

    def __post_init__(self) -> None:
        check_choice("group", ("contiguous", "balanced", "strict"), merge=self.merge)

    def owners(
        self,
        traits: Traits,
        actors: int,
        rng: np.random.Generator,  # noqa: ARG002 - the seam's
    ) -> Ints:
        """Return the owner of each row."""
        if traits.groups is None:
            raise PartitionError("group needs natural group ids, this data set has none")
        try:
            ids, codes = np.unique(traits.groups, return_inverse=True)
        except TypeError as error:
            raise PartitionError(f"group: ids of different types cannot be ordered ({error})") from error
        if actors > len(ids) or (self.merge == "strict" and actors != len(ids)):
            few = f"set actors={len(ids)}" + ("" if self.merge == "strict" else " or fewer")
            raise PartitionError(f"group: {len(ids)} groups for {actors} actors; {few}")
        if self.merge == "balanced":
            return _balanced(np.bincount(codes), actors)[codes]
        return np.repeat(np.arange(actors), equal_sizes(len(ids), actors))[codes]


def _balanced(sizes: Ints, actors: int) -> Ints:
    """Return the actor of each group: largest first to the least loaded (Graham's LPT rule)."""
    loads = [(0, actor) for actor in range(actors)]
    owner = np.empty(len(sizes), np.int64)
    for group in np.argsort(-sizes, kind="stable"):
        load, actor = loads[0]
        owner[group] = actor
        heapq.heapreplace(loads, (load + int(sizes[group]), actor))
    return owner
