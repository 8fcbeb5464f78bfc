"""Strategies in which actors have random rows, as many or differently many: no label skew."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition.apportionment import Floats, Ints, equal_sizes, raise_sizes, round_to_total
from fedlocal.data.partition.assignment import scatter
from fedlocal.data.partition.base import OwnerRule, Traits
from fedlocal.data.partition.checks import check_choice, check_count, check_within


@dataclass(frozen=True)
class Iid(OwnerRule):
    """Each actor has a random sample of equal size (they differ by one row at most)."""

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        return scatter(equal_sizes(len(traits), actors), rng)


@dataclass(frozen=True)
class GrowingSizes(OwnerRule):
    """Sizes grow from actor to actor, rounded down; the last actor has the rest, as in Flower Datasets.

    Parameters
    ----------
    min_size : int
        Least number of rows of an actor; reached at the cost of the largest.
    """

    min_size: int = 1

    def __post_init__(self) -> None:
        check_count(type(self).__name__.lower(), min_size=self.min_size)

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        units = self.units(np.arange(1.0, actors + 1))
        sizes = (units / units.sum() * len(traits)).astype(np.int64)
        sizes[-1] += len(traits) - sizes.sum()
        return scatter(raise_sizes(sizes, self.min_size), rng)

    @abstractmethod
    def units(self, ranks: Floats) -> Floats:
        """Return the relative sizes of actors by their ranks, from 1 on."""


class Linear(GrowingSizes):
    """Sizes grow as 1, 2, 3, ...; see `GrowingSizes`."""

    def units(self, ranks: Floats) -> Floats:
        """Return the ranks themselves."""
        return ranks


class Square(GrowingSizes):
    """Sizes grow as 1, 4, 9, ...; see `GrowingSizes`."""

    def units(self, ranks: Floats) -> Floats:
        """Return their squares."""
        return np.square(ranks)


class Exponential(GrowingSizes):
    """Sizes grow as e, e^2, e^3, ...; see `GrowingSizes`."""

    def units(self, ranks: Floats) -> Floats:
        """Return their exponentials, the last of which is 1."""
        return np.exp(ranks - len(ranks))


@dataclass(frozen=True)
class Quantity(OwnerRule):
    """Sizes follow a law that is seen in the field: few actors have many rows, many have few.

    Parameters
    ----------
    law : {"lognormal", "powerlaw"}
        "lognormal": logarithms of the sizes are normal with deviation `sigma` [1]_. "powerlaw": the size of
        actor i is proportional to ``(i + 1) ** -exponent``.
    sigma : float
        Deviation for "lognormal", 0 to 100; 0: all equal.
    exponent : float
        Exponent for "powerlaw", 0 to 100; 0: all equal.
    min_size : int
        Least number of rows of an actor; reached at the cost of the largest.

    References
    ----------
    .. [1] D. Zeng et al., "FedLab: A Flexible Federated Learning Framework", JMLR 2023, "unbalance".
    """

    law: Literal["lognormal", "powerlaw"] = "lognormal"
    sigma: float = 1.0
    exponent: float = 1.0
    min_size: int = 1

    def __post_init__(self) -> None:
        check_choice("quantity", ("lognormal", "powerlaw"), law=self.law)
        check_within("quantity", 0, 100, sigma=self.sigma, exponent=self.exponent)
        check_count("quantity", min_size=self.min_size)

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        if self.law == "lognormal":
            logarithms = self.sigma * rng.standard_normal(actors)
        else:
            logarithms = -self.exponent * np.log(np.arange(1.0, actors + 1))
        return scatter(raise_sizes(round_to_total(logarithms, len(traits)), self.min_size), rng)


@dataclass(frozen=True)
class Sizes(OwnerRule):
    """Sizes are given.

    Parameters
    ----------
    counts : list of int or None
        Rows of each actor, at least 1, adding up to all training rows.
    proportions : list of float or None
        Or the size of each actor relative to the others, above 0; rounded to the nearest whole numbers that
        add up.
    """

    counts: list[int] | None = None
    proportions: list[float] | None = None

    def __post_init__(self) -> None:
        if (self.counts is None) == (self.proportions is None):
            raise PartitionError(
                "sizes: give either counts=[...] or proportions=[...], one number for each actor"
            )
        for size in self.counts or ():
            check_count("sizes", counts=size)
        if self.proportions is not None:
            given = np.array(list(self.proportions), np.float64)
            if not np.all(np.isfinite(given) & (given > 0)):
                raise PartitionError(f"sizes: proportions={given.tolist()}, expected finite numbers above 0")

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        given = self.counts if self.counts is not None else self.proportions
        if given is None or len(given) != actors:
            raise PartitionError(
                f"sizes: {len(given or ())} sizes for {actors} actors, expected one for each"
            )
        if self.counts is None:
            logarithms = np.log(np.array(list(given), np.float64))
            return scatter(raise_sizes(round_to_total(logarithms, len(traits)), 1), rng)
        if sum(self.counts) != len(traits):
            raise PartitionError(
                f"sizes: counts add up to {sum(self.counts)}, expected {len(traits)}, the number of "
                "training rows"
            )
        return scatter(np.array(list(self.counts), np.int64), rng)
