"""Availability of clients: they come and go between rounds, decided before the run begins.

An availability is called as ``availability(actors, rounds, draw)`` and returns who is there in each round, or
None where all of them always are. It depends on the seed alone: neither on time nor on what clients do. This
room knows nothing of Flower or learning; the groups of ``conf/availability`` bear the names of its classes.
"""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.availability.base import (
        Availability,
        AvailabilityError,
        Draw,
        Presence,
        Presences,
        always_available,
        no_absence,
        no_dropout,
    )
    from fedlocal.availability.chance import Dropout, Sessions
    from fedlocal.availability.fixed import Always, Schedule
    from fedlocal.availability.trace import Trace

__all__ = [
    "Always",
    "Availability",
    "AvailabilityError",
    "Draw",
    "Dropout",
    "Presence",
    "Presences",
    "Schedule",
    "Sessions",
    "Trace",
    "always_available",
    "no_absence",
    "no_dropout",
]

_HOMES = {
    "fedlocal.availability.base": "Availability AvailabilityError Draw Presence Presences "
    "always_available no_absence no_dropout",
    "fedlocal.availability.chance": "Dropout Sessions",
    "fedlocal.availability.fixed": "Always Schedule",
    "fedlocal.availability.trace": "Trace",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
