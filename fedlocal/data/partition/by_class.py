"""Strategies in which an actor has some of the classes only."""

from dataclasses import dataclass

import numpy as np

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition.apportionment import Ints, apportion, dirichlet_shares, equal_sizes
from fedlocal.data.partition.assignment import class_codes, deal
from fedlocal.data.partition.base import OwnerRule, Traits
from fedlocal.data.partition.checks import check_above_zero, check_choice, check_count
from fedlocal.data.partition.class_assignment import ASSIGNMENTS, Assignment, class_slots


@dataclass(frozen=True)
class Pathological(OwnerRule):
    """Each actor has exactly so many classes; the rows of a class are shared equally by its owners.

    Parameters
    ----------
    classes_per_actor : int
        Number of classes of each actor.
    assignment : {"random", "deterministic", "first-deterministic"}
        How classes are chosen, see `fedlocal.data.partition.class_assignment.class_slots`. [1]_ uses
        "first-deterministic".

    References
    ----------
    .. [1] Q. Li, Y. Diao, Q. Chen, B. He, "Federated Learning on Non-IID Data Silos: An Experimental Study",
       ICDE 2022, "quantity-based label imbalance".
    """

    classes_per_actor: int = 2
    assignment: Assignment = "random"

    def __post_init__(self) -> None:
        check_count("pathological", classes_per_actor=self.classes_per_actor)
        check_choice("pathological", ASSIGNMENTS, assignment=self.assignment)

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        codes, counts = class_codes(traits, "pathological")
        slots = class_slots("pathological", self.assignment, actors, self.classes_per_actor, counts, rng)
        quotient, remainder = np.divmod(counts, slots.sum(axis=0))
        rank = np.cumsum(slots, axis=0) - 1
        return deal(codes, (slots * (quotient + (rank < remainder))).T, rng)


@dataclass(frozen=True)
class ExtendedDirichlet(OwnerRule):
    """Each actor has exactly so many classes; a class is divided among its owners by Dir(alpha).

    Every owner of a class has at least one row of it.

    Parameters
    ----------
    classes_per_actor : int
        Number of classes of each actor.
    alpha : float
        Concentration of the proportions within a class.

    References
    ----------
    .. [1] Y. Li, X. Lyu, "Convergence Analysis of Sequential Federated Learning on Heterogeneous Data",
       NeurIPS 2023, "ExDir".
    """

    classes_per_actor: int = 2
    alpha: float = 0.5

    def __post_init__(self) -> None:
        check_count("extended_dirichlet", classes_per_actor=self.classes_per_actor)
        check_above_zero("extended_dirichlet", alpha=self.alpha)

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        codes, counts = class_codes(traits, "extended_dirichlet")
        slots = class_slots("extended_dirichlet", "random", actors, self.classes_per_actor, counts, rng)
        allotted = slots.T.astype(np.int64)
        for code, left in enumerate(counts - slots.sum(axis=0)):
            having = np.flatnonzero(slots[:, code])
            shares = dirichlet_shares(self.alpha, len(having), 1, rng)
            allotted[code, having] += apportion(shares, left[None], rng)[0]
        return deal(codes, allotted, rng)


@dataclass(frozen=True)
class Orthogonal(OwnerRule):
    """Whole classes go to one actor each, as evenly by number of classes as can be, which ones at random.

    References
    ----------
    .. [1] "Orthogonal" sampler of Plato, https://github.com/TL-System/plato.
    """

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        codes, counts = class_codes(traits, "orthogonal")
        if actors > len(counts):
            raise PartitionError(
                f"orthogonal: {actors} actors cannot have disjoint classes, the training rows have "
                f"{len(counts)}; set actors={len(counts)} or fewer, or use partition=pathological"
            )
        owner_of_class = rng.permutation(np.repeat(np.arange(actors), equal_sizes(len(counts), actors)))
        return owner_of_class[codes]


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
        owner = np.empty(len(traits), np.int64)
        owner[by_label] = np.repeat(owner_of_shard, equal_sizes(len(traits), shards))
        return owner
