"""Label skew with given sizes: each actor draws its own mixture of classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.partition.allotment import (
    Floats,
    Ints,
    dirichlet_shares,
    equal_sizes,
    raise_sizes,
    round_to_total,
)
from fedlocal.data.partition.base import OwnerRule, Traits
from fedlocal.data.partition.checks import check_above_zero, check_count, check_within
from fedlocal.data.partition.dealing import check_minimum, class_codes, deal


@dataclass(frozen=True)
class InnerDirichlet(OwnerRule):
    """Each actor has a set size and a mixture of classes drawn from Dir(alpha).

    Actors ask for classes by their mixtures. Where a class is asked for more often than it has rows, chance
    decides who is served, and those who are not ask again for the classes that are left. [1]_ does this row
    by row; here all rows are asked for at once, in at most as many passes as there are classes.

    Parameters
    ----------
    alpha : float
        Concentration of each actor's mixture. Small: few classes an actor; large: all alike.
    sigma : float
        Sizes are log-normal with this deviation of the logarithm, 0 to 100; 0: all equal.
    min_size : int
        Least number of rows of an actor; reached at the cost of the largest.

    References
    ----------
    .. [1] D. A. E. Acar et al., "Federated Learning Based on Dynamic Regularization", ICLR 2021.
    """

    alpha: float = 0.5
    sigma: float = 0.0
    min_size: int = 1

    def __post_init__(self) -> None:
        check_above_zero("inner_dirichlet", alpha=self.alpha)
        check_within("inner_dirichlet", 0, 100, sigma=self.sigma)
        check_count("inner_dirichlet", min_size=self.min_size)

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        check_minimum(traits, actors, self.min_size)
        codes, counts = class_codes(traits, "inner_dirichlet")
        sizes = self._sizes(len(traits), actors, rng)
        mixtures = dirichlet_shares(self.alpha, len(counts), actors, rng)
        return deal(codes, _serve(mixtures, sizes, counts, rng).T, rng)

    def _sizes(self, n: int, actors: int, rng: np.random.Generator) -> Ints:
        if self.sigma == 0:
            return equal_sizes(n, actors)
        return raise_sizes(round_to_total(self.sigma * rng.standard_normal(actors), n), self.min_size)


def _serve(mixtures: Floats, sizes: Ints, counts: Ints, rng: np.random.Generator) -> Ints:
    """Return how many rows of each class each actor gets, shape (actors, k).

    Each pass either satisfies every actor or exhausts a class.
    """
    served = np.zeros(mixtures.shape, np.int64)
    hungry, stocked = np.arange(len(sizes)), np.arange(len(counts))
    wants, stock = sizes.copy(), counts.copy()
    while len(hungry):
        asked = rng.multinomial(wants[hungry], _among(mixtures[np.ix_(hungry, stocked)], stock[stocked]))
        for column in np.flatnonzero(asked.sum(axis=0) > stock[stocked]):
            asked[:, column] = _drawn(asked[:, column], int(stock[stocked[column]]), rng)
        served[np.ix_(hungry, stocked)] += asked
        wants[hungry] -= asked.sum(axis=1)
        stock[stocked] -= asked.sum(axis=0)
        hungry, stocked = hungry[wants[hungry] > 0], stocked[stock[stocked] > 0]
    return served


def _among(mixtures: Floats, stock: Ints) -> Floats:
    """Renormalise mixtures over the classes left; one without any takes from what is in stock."""
    sums = mixtures.sum(axis=1, keepdims=True)
    lost = ~(sums[:, 0] > 1e-300)
    sums[lost] = 1
    among: Floats = mixtures / sums
    among[lost] = stock / stock.sum()
    return among


def _drawn(asked: Ints, stock: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Serve only so many of the requests, chosen at random."""
    return rng.multivariate_hypergeometric(asked, stock, method="marginals")
