"""The protocol of an availability, and the presence of actors in a round."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Draw = Callable[[int, int], np.random.Generator]
"""Returns the generator of a partition in a round: the same one whenever it is asked for."""


class AvailabilityError(ValueError):
    """An availability that cannot be: the message names the value, and what was expected."""


class Presence(NamedTuple):
    """The actors that are available in a round.

    Parameters
    ----------
    available : NDArray[bool], shape (actors,)
        Whether an actor can be asked.
    lost : NDArray[bool], shape (actors,)
        Whether an actor leaves before it replies, if it is asked.
    """

    available: NDArray[np.bool_]
    lost: NDArray[np.bool_]

    @property
    def to_the_end(self) -> NDArray[np.bool_]:
        """Whether an actor is available and stays until it has replied, shape (actors,)."""
        return self.available & ~self.lost

    def __str__(self) -> str:
        left = int(self.available.sum() - self.to_the_end.sum())
        gone = f", of which {left} left in mid-round" if left else ""
        return f"{self.available.sum()} of {len(self.available)} clients were there{gone}"


class Availability(Protocol):
    """Decides which actors are available."""

    def __call__(self, actors: int, rounds: int, draw: Draw) -> Iterator[Presence] | None:
        """Return the presence of each round from 1 on, without end; None if all are available, always.

        Parameters
        ----------
        actors : int
            How many there are in all; their numbers are 0 to ``actors - 1``.
        rounds : int
            How many rounds will be asked for.
        draw : Draw
            Where chance comes from.

        Raises
        ------
        AvailabilityError
            If this cannot be with so many actors and rounds; at once, not when the first round is asked for.
        """
        ...


Presences = Callable[[], Iterator[Presence] | None]
"""An availability of a run: returns the presence of each round from 1 on; None if all are there, always."""


def always_available() -> None:
    """Return None: all actors are there in every round."""


def no_absence(actors: int) -> None:
    """Return None: all actors are there in every round."""


def no_dropout(available: NDArray[np.bool_]) -> Presence:
    """Return a presence in which every available actor answers."""
    return Presence(available, np.zeros_like(available))
