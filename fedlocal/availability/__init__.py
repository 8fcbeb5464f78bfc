"""Availability of clients: they come and go between rounds, decided before the run begins.

An availability is called as ``availability(actors, rounds, draw)`` and returns who is there in each round, or
None where all of them always are. It depends on the seed alone: neither on time nor on what clients do. This
room knows nothing of Flower or learning; the groups of ``conf/availability`` bear the names of its classes.
"""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.availability.base import Availability as Availability
    from fedlocal.availability.base import AvailabilityError as AvailabilityError
    from fedlocal.availability.base import Draw as Draw
    from fedlocal.availability.base import Presence as Presence
    from fedlocal.availability.base import Presences as Presences
    from fedlocal.availability.base import always_available as always_available
    from fedlocal.availability.base import no_absence as no_absence
    from fedlocal.availability.base import no_dropout as no_dropout
    from fedlocal.availability.chance import Dropout as Dropout
    from fedlocal.availability.chance import Sessions as Sessions
    from fedlocal.availability.fixed import Always as Always
    from fedlocal.availability.fixed import Schedule as Schedule
    from fedlocal.availability.trace import Trace as Trace
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
