"""Equal parts drawn at random."""

from dataclasses import dataclass

import numpy as np

from fedlocal.data.partition.apportionment import Ints, equal_sizes
from fedlocal.data.partition.assignment import scatter
from fedlocal.data.partition.base import OwnerRule, Traits


@dataclass(frozen=True)
class Iid(OwnerRule):
    """Each actor has a random sample of equal size (they differ by one row at most)."""

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        return scatter(equal_sizes(len(traits), actors), rng)
