"""Strategies in which an actor has some of the classes only, or a given share of each."""

from dataclasses import dataclass

import numpy as np

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition.apportionment import Ints, apportion, dirichlet_shares, equal_sizes
from fedlocal.data.partition.assignment import class_codes, deal, raise_owners
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
class Distribution(OwnerRule):
    """The rows of each class are divided in given proportions.

    Whole numbers that add up to the rows of a class are met exactly; other proportions are rounded up or down
    at random, so that each is met on average.

    Parameters
    ----------
    proportions : list of list of float, classes x actors
        ``proportions[c][i]``: what actor i has of class c (in the order of the data set's classes), as
        counts, shares or weights; each row is normalised.
    min_size : int
        Least number of rows of an actor; reached by moving rows from the largest parts.

    References
    ----------
    .. [1] T. Li et al., "Federated Optimization in Heterogeneous Networks", MLSys 2020 (power-law sizes with
       two classes an actor), and ``DistributionPartitioner`` of Flower Datasets, which takes the non-zero
       entries only.
    """

    proportions: list[list[float]]
    min_size: int = 1

    def __post_init__(self) -> None:
        check_count("distribution", min_size=self.min_size)
        if len({len(row) for row in self.proportions}) != 1:
            raise PartitionError(
                "distribution: proportions must be a table, one equally long row for each class"
            )
        table = np.array([list(row) for row in self.proportions], np.float64)
        if not np.all(np.isfinite(table)) or np.any(table < 0):
            raise PartitionError("distribution: proportions must be finite numbers of at least 0")
        if np.any(table.sum(axis=0) == 0):
            actor = int(np.argmin(table.sum(axis=0)))
            raise PartitionError(f"distribution: proportions give actor {actor} nothing of any class")

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        codes, counts = class_codes(traits, "distribution")
        table = np.array([list(row) for row in self.proportions], np.float64)
        wanted = (0 if traits.classes is None else len(traits.classes), actors)
        if table.shape != wanted:
            raise PartitionError(
                f"distribution: proportions is a table of {table.shape[0]} x {table.shape[1]}, expected "
                f"{wanted[0]} classes x {wanted[1]} actors"
            )
        present = table[np.unique(traits.labels)]
        sums = present.sum(axis=1, keepdims=True)
        if np.any(sums == 0):
            raise PartitionError(
                "distribution: proportions leave a class without an owner; each row needs a share"
            )
        return raise_owners(
            deal(codes, apportion(present / sums, counts, rng), rng), actors, self.min_size, rng
        )
