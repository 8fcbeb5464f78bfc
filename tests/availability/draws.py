"""What the tests of the room share: draws, and rounds as arrays."""

from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fedlocal.availability import Availability, Draw, Presence
from fedlocal.seeds import Stream, generator


def draw(seed: int = 0) -> Draw:
    return partial(generator, seed, Stream.AVAILABILITY)


def presences(availability: Availability, actors: int, rounds: int, seed: int = 0) -> Iterator[Presence]:
    rounds_ = availability(actors, rounds, draw(seed))
    assert rounds_ is not None
    return islice(rounds_, rounds)


def there(availability: Availability, actors: int, rounds: int, seed: int = 0) -> NDArray[np.bool_]:
    """Return who is there: bool, shape (rounds, actors)."""
    return np.array([presence.available for presence in presences(availability, actors, rounds, seed)])
