"""Label skew: the rows of each class are divided in proportions drawn from a Dirichlet distribution."""

from dataclasses import dataclass

import numpy as np

from fedlocal.data.partition.apportionment import Floats, Ints, apportion, dirichlet_shares
from fedlocal.data.partition.assignment import check_minimum, class_codes, deal, raise_owners
from fedlocal.data.partition.base import OwnerRule, Traits
from fedlocal.data.partition.checks import check_above_zero, check_count


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
        check_minimum(traits, actors, self.min_size)
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
