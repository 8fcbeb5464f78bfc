"""Actors that are away by chance.

A round's numbers come from a generator of its own, one number an actor, in their order: who is there in a
round depends on the seed, the actor and the round, and not on how many other actors there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from fedlocal.availability.base import AvailabilityError, Draw, Presence, no_dropout


@dataclass(frozen=True)
class Dropout:
    """Each actor misses each round with the same probability, whatever it did before.

    Parameters
    ----------
    p : float
        The probability, at least 0 and below 1.
    mid_round : bool
        Whether it goes in the middle of the round: it may be asked, does not answer, and its work is lost.

    Raises
    ------
    AvailabilityError
        If the probability is out of range.
    """

    p: float = 0.2
    mid_round: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.p < 1:
            raise AvailabilityError(f"dropout: p={self.p}, expected a probability of at least 0 and below 1")

    def __call__(self, actors: int, rounds: int, draw: Draw) -> Iterator[Presence]:  # noqa: ARG002
        """Return the presence of each round."""
        for number in count(1):
            misses = draw(0, number).random(actors) < self.p
            yield Presence(np.ones(actors, np.bool_), misses) if self.mid_round else no_dropout(~misses)


@dataclass(frozen=True)
class Sessions:
    """Actors come for some rounds and stay away for some: a Markov chain of two states for each.

    Both lengths are geometrically distributed. Before the first round the chain has gone on for long: the
    part ``present / (present + away)`` of the actors is there, on average, in every round.

    Parameters
    ----------
    present, away : float
        Mean numbers of rounds that an actor stays, and stays away; at least 1 each.

    Raises
    ------
    AvailabilityError
        If a mean is below 1.
    """

    present: float = 8.0
    away: float = 2.0

    def __post_init__(self) -> None:
        for name in ("present", "away"):
            mean = getattr(self, name)
            if not 1 <= mean < np.inf:
                raise AvailabilityError(f"sessions: {name}={mean}, expected a mean of at least 1 round")

    def __call__(self, actors: int, rounds: int, draw: Draw) -> Iterator[Presence]:  # noqa: ARG002
        """Return the presence of each round."""
        there = draw(0, 0).random(actors) < self.present / (self.present + self.away)
        for number in count(1):
            changes = draw(0, number).random(actors) < np.where(there, 1 / self.present, 1 / self.away)
            there = there ^ changes
            yield no_dropout(there)
