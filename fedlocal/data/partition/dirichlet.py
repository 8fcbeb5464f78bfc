"""Label skew drawn from a Dirichlet distribution: over the actors of a class, or over an actor's classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.partition.apportionment import (
    Floats,
    Ints,
    apportion,
    dirichlet_shares,
    equal_sizes,
    raise_sizes,
    round_to_total,
)
from fedlocal.data.partition.assignment import class_codes, deal, raise_owners
from fedlocal.data.partition.base import OwnerRule, Traits
from fedlocal.data.partition.checks import check_above_zero, check_count, check_within


@dataclass(frozen=True)
class Dirichlet(OwnerRule):
    """Each class is divided among the actors in proportions drawn from Dir(alpha).

    Parameters
    ----------
    alpha : float
        Concentration. Small: few actors hold a class; large: all hold an equal share.
    balance : bool
        Give no rows of a further class to an actor that already has more than n / actors, as the code of
        [1]_ does.
    min_size : int
        Least number of rows of an actor; reached by moving rows from the largest parts.

    References
    ----------
    .. [1] M. Yurochkin et al., "Bayesian Nonparametric Federated Learning of Neural Networks", ICML 2019.
    .. [2] T. H. Hsu, H. Qi, M. Brown, "Measuring the Effects of Non-Identical Data Distribution for Federated
       Visual Classification", 2019.
    """

    alpha: float = 0.5
    balance: bool = False
    min_size: int = 1

    def __post_init__(self) -> None:
        check_above_zero("dirichlet", alpha=self.alpha)
        check_count("dirichlet", min_size=self.min_size)

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        codes, counts = class_codes(traits, "dirichlet")
        shares = dirichlet_shares(self.alpha, actors, len(counts), rng)
        allotted = _balanced(shares, counts, rng) if self.balance else apportion(shares, counts, rng)
        return raise_owners(deal(codes, allotted, rng), actors, self.min_size, rng)


def _balanced(shares: Floats, counts: Ints, rng: np.random.Generator) -> Ints:
    """Apportion one class after another, leaving out the actors that are full by then."""
    allotted = np.zeros(shares.shape, np.int64)
    sizes = np.zeros(shares.shape[1], np.int64)
    mean = counts.sum() / len(sizes)
    for code, total in enumerate(counts):
        open_to = sizes <= mean  # never empty: not all can be above the mean
        share = shares[code] * open_to
        share = share / share.sum() if share.sum() > 0 else open_to / open_to.sum()
        allotted[code] = apportion(share[None], total[None], rng)[0]
        sizes += allotted[code]
    return allotted


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


@dataclass(frozen=True)
class InnerDirichlet(OwnerRule):
    """Each actor has a set size and a mixture of classes drawn from Dir(alpha).

    The actors take rows in turns that chance decides, until they have enough; the class of each row is drawn
    from the actor's mixture over the classes of which rows are left, as in [1]_. That is done for all turns
    at once: where a class runs out, only those who drew it later draw again.

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
        codes, counts = class_codes(traits, "inner_dirichlet")
        sizes = self._sizes(len(traits), actors, rng)
        mixtures = dirichlet_shares(self.alpha, len(counts), actors, rng)
        return deal(codes, _serve(mixtures, sizes, counts, rng).T, rng)

    def _sizes(self, n: int, actors: int, rng: np.random.Generator) -> Ints:
        if self.sigma == 0:
            return equal_sizes(n, actors)
        return raise_sizes(round_to_total(self.sigma * rng.standard_normal(actors), n), self.min_size)


def _serve(mixtures: Floats, sizes: Ints, counts: Ints, rng: np.random.Generator) -> Ints:
    """Return how many rows of each class each actor gets, shape (actors, k)."""
    turns, stocked = _turns(sizes, rng), np.full(len(counts), True)
    drawn = _draw(turns, mixtures, counts, rng)
    while len(late := _too_late(drawn, counts, stocked)):
        left = np.maximum(counts - np.bincount(drawn[: late[0]], minlength=len(counts)), 0)
        stocked[drawn[late[0]]] = False
        drawn[late] = _draw(turns[late], np.where(stocked, mixtures, 0), np.where(stocked, left, 0), rng)
    served = np.bincount(turns * len(counts) + drawn, minlength=mixtures.size)
    return served.reshape(mixtures.shape).astype(np.int64, copy=False)


def _turns(sizes: Ints, rng: np.random.Generator) -> Ints:
    """Return whose turn it is to take a row, until each actor has its size.

    At each turn, all that still need rows are as likely: they are the arrivals of Poisson processes.
    """
    owner = np.repeat(np.arange(len(sizes)), sizes)
    arrivals = np.cumsum(rng.standard_exponential(len(owner)))
    starts = np.concatenate([[0.0], arrivals])[np.cumsum(sizes) - sizes]
    turns: Ints = owner[np.argsort(arrivals - np.repeat(starts, sizes))]
    return turns


def _draw(turns: Ints, mixtures: Floats, stock: Ints, rng: np.random.Generator) -> Ints:
    """Draw a class for each turn from its actor's mixture; one without any takes from what is in stock."""
    sums = mixtures.sum(axis=1, keepdims=True)
    shares = np.where(sums > 1e-300, mixtures, stock)
    steps = np.minimum(np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1), 1)
    last = shares.shape[1] - 1 - np.argmax(shares[:, ::-1] > 0, axis=1)
    actors = np.arange(len(shares))
    wanted = np.searchsorted((steps + actors[:, None]).ravel(), turns + rng.random(len(turns)), "right")
    drawn: Ints = np.minimum(wanted - turns * shares.shape[1], last[turns])
    return drawn


def _too_late(drawn: Ints, counts: Ints, stocked: NDArray[np.bool_]) -> Ints:
    """Return the turns that ask for the class which runs out first, after it has run out."""
    over = np.flatnonzero(stocked & (np.bincount(drawn, minlength=len(counts)) > counts))
    late = [np.flatnonzero(drawn == klass)[counts[klass] :] for klass in over]
    return min(late, key=lambda turns: int(turns[0]), default=np.empty(0, np.int64))
