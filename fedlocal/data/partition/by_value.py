"""Strategies that cut the rows along a label, a real-valued target or a natural id."""

import heapq
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition.apportionment import Floats, Ints, equal_sizes
from fedlocal.data.partition.assignment import cut
from fedlocal.data.partition.base import OwnerRule, Traits
from fedlocal.data.partition.checks import check_choice, check_count, check_within


@dataclass(frozen=True)
class LabelShards(OwnerRule):
    """Rows are sorted by label and cut into equal shards; each actor has so many shards, at random.

    Shard sizes differ by one row at most. Real-valued targets are sorted by value.

    Parameters
    ----------
    shards_per_actor : int
        Number of shards of each actor; 2 in [1]_.

    References
    ----------
    .. [1] H. B. McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data",
       AISTATS 2017.
    """

    shards_per_actor: int = 2

    def __post_init__(self) -> None:
        check_count("shards", shards_per_actor=self.shards_per_actor)

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        shards = actors * self.shards_per_actor
        if shards > len(traits):
            raise PartitionError(
                f"shards: {actors} actors x {self.shards_per_actor} shards need {shards} training rows, "
                f"there are {len(traits)}"
            )
        shuffled = rng.permutation(len(traits))
        by_label = shuffled[np.argsort(traits.labels[shuffled], kind="stable")]
        owner_of_shard = rng.permutation(np.arange(shards) % actors)
        return owner_of_shard[cut(by_label, equal_sizes(len(traits), shards))]


@dataclass(frozen=True)
class Continuous(OwnerRule):
    """Rows are ranked by their target, blurred by noise, and cut into equal parts.

    The rank is that of ``strictness * z + (1 - strictness) * e``, with z the standardised target and e
    standard normal noise.

    Parameters
    ----------
    strictness : float
        0: IID, 1: strictly by the target.

    References
    ----------
    .. [1] ``ContinuousPartitioner`` of Flower Datasets, https://flower.ai/docs/datasets.
    """

    strictness: float = 1.0

    def __post_init__(self) -> None:
        check_within("continuous", 0, 1, strictness=self.strictness)

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        blurred = (1 - self.strictness) * rng.standard_normal(len(traits))
        if self.strictness > 0:
            blurred += self.strictness * _standardised(_values(traits))
        return cut(np.argsort(blurred, kind="stable"), equal_sizes(len(traits), actors))


def _values(traits: Traits) -> Floats:
    if traits.classes is None:
        values = traits.labels.astype(np.float64)
    elif traits.classes.dtype.kind in "biuf":
        values = traits.classes.astype(np.float64)[traits.labels]
    else:
        raise PartitionError(
            "continuous needs a real-valued target or numeric class labels, these are "
            f"{traits.classes.dtype}: use partition=shards or dirichlet"
        )
    if not np.all(np.isfinite(values)):
        raise PartitionError("continuous: the target holds NaN or infinity")
    return values


def _standardised(values: Floats) -> Floats:
    deviation = values.std()
    if not deviation > 1e-12 * np.abs(values).max():
        raise PartitionError("continuous: all targets are equal, there is nothing to rank; use partition=iid")
    standardised: Floats = (values - values.mean()) / deviation
    return standardised


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
