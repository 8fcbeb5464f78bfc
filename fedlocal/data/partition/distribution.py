"""Label distributions set by hand, or mixed from IID and skewed ones."""

from dataclasses import dataclass

import numpy as np

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition.apportionment import Ints, apportion, equal_sizes
from fedlocal.data.partition.assignment import check_minimum, class_codes, deal, raise_owners
from fedlocal.data.partition.base import OwnerRule, Traits
from fedlocal.data.partition.checks import check_above_zero, check_count, check_within
from fedlocal.data.partition.dirichlet import Dirichlet


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
        check_minimum(traits, actors, self.min_size)
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


@dataclass(frozen=True)
class Mixed(OwnerRule):
    """The first actors have IID samples of equal size; the others divide the rest as `Dirichlet` does.

    Parameters
    ----------
    iid_fraction : float
        Part of the actors, from 0 to 1, rounded to a whole number, whose samples are IID.
    alpha : float
        Concentration for the other actors.
    min_size : int
        Least number of rows of an actor; reached by moving rows from the largest parts.

    References
    ----------
    .. [1] "Mixed" sampler of Plato, https://github.com/TL-System/plato.
    """

    iid_fraction: float = 0.5
    alpha: float = 0.5
    min_size: int = 1

    def __post_init__(self) -> None:
        check_within("mixed", 0, 1, iid_fraction=self.iid_fraction)
        check_above_zero("mixed", alpha=self.alpha)
        check_count("mixed", min_size=self.min_size)

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        check_minimum(traits, actors, self.min_size)
        class_codes(traits, "mixed")
        alike = round(self.iid_fraction * actors)
        sizes = equal_sizes(len(traits), actors)[:alike]
        shuffled = rng.permutation(len(traits))
        owner = np.empty(len(traits), np.int64)
        owner[shuffled[: sizes.sum()]] = np.repeat(np.arange(alike), sizes)
        if alike < actors:
            rest = np.sort(shuffled[sizes.sum() :])
            skewed = Dirichlet(self.alpha, min_size=self.min_size)
            part = Traits(traits.labels[rest], traits.classes)
            owner[rest] = alike + skewed.owners(part, actors - alike, rng)
        return owner
