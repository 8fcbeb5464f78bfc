"""The workers of a system: started, replaced when they die, added and let go while it runs.

After OTP's ``one_for_one``: a worker that dies is replaced at once, the others go on. One that does not
manage to start is tried again with growing pauses; when none has managed for too long, the crew is
`hopeless`.
"""

import itertools
import logging
import selectors
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from fedlocal.actors.engine.exit_causes import Death
from fedlocal.actors.engine.journal import Journal
from fedlocal.actors.engine.worker_connection import Link
from fedlocal.actors.messages import Behaviour
from fedlocal.actors.policy import Policy
from fedlocal.actors.worker.frames import Kind

logger = logging.getLogger(__name__)

WATCHES_PROCESSES = sys.platform != "win32"  # as well as sockets, which a worker's child may keep open
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds before a start is tried again


@dataclass
class _Place:
    """A worker's place in the crew, whichever process fills it."""

    link: Link | None = None
    start_at: float = 0.0  # when to fill it, if it is vacant
    vacant_since: float = 0.0
    failures: int = 0  # to start, in a row
    kills: int = 0  # from outside while it started, in a row
    deaths: int = 0  # of workers that were ready, in a row
    reason: str = ""  # of the last failure
    was_ready: bool = False


class Crew:
    """The workers' processes.

    Parameters
    ----------
    start : callable
        Builds the behaviour in each worker.
    workers : int
        How many.
    policy : Policy
        The limits.
    method : str, optional
        How processes start.
    selector : BaseSelector
        Told of each worker's socket and process, with the `Link` as data.
    journal : Journal
        Told of starts.
    """

    def __init__(
        self,
        start: Callable[[], Behaviour],
        workers: int,
        policy: Policy,
        method: str | None,
        selector: selectors.BaseSelector,
        journal: Journal,
    ) -> None:
        self._start, self._policy, self._method = start, policy, method
        self._selector, self._journal = selector, journal
        self._generations = itertools.count(1)
        self._places = {worker: _Place() for worker in range(workers)}
        self._retired: dict[int, Link] = {}  # whose places are gone
        self.links: list[Link] = []  # the workers that have a process
        self.ready: dict[int, Link] = {}  # those that take messages, by generation
        self.vacant = True  # whether a place is
        self.closing = False  # set by any thread: no process starts any more

    @property
    def settled(self) -> bool:
        """Whether each worker has been ready, or has failed to start as often as it may."""
        limit = self._policy.max_starts
        return all(place.was_ready or place.failures >= limit for place in self._places.values())

    @property
    def hopeless(self) -> str:
        """Why no worker will start; empty as long as one may."""
        failed = [place for place in self._places.values() if place.failures >= self._policy.max_starts]
        killed = [place for place in self._places.values() if place.kills >= self._policy.max_kills]
        return (failed or killed)[0].reason if len(failed) + len(killed) >= len(self._places) else ""

    def fill(self) -> None:
        """Start a process in each vacant place whose time has come."""
        now = time.monotonic()
        for worker, place in self._places.items():
            if place.link is None and place.start_at <= now and not (self.hopeless or self.closing):
                generation = next(self._generations)
                try:
                    place.link = Link(worker, generation, self._start, self._policy, self._method)
                except ConnectionError as error:
                    self._origin_lost(place, f"worker {worker} could not start: {error}")
                except OSError as error:
                    self._not_started(place, f"worker {worker} could not start: {error}")
                else:
                    self._watch(place.link)
        self._count()

    def _count(self) -> None:
        """Note who is there; asked for far more often than it changes."""
        present = [place.link for place in self._places.values() if place.link]
        self.links = [*present, *self._retired.values()]
        self.ready = {
            link.generation: link for link in present if link.progress.ready and not link.progress.leaving
        }
        self.vacant = len(present) < len(self._places)

    def next_start(self) -> float | None:
        """Return when `fill` has something to do (``time.monotonic``); None for never."""
        if not self.vacant:
            return None
        return min((place.start_at for place in self._places.values() if place.link is None), default=None)

    def became_ready(self, link: Link) -> None:
        """Note that a worker takes messages from now on."""
        link.progress.ready, link.progress.since = True, time.monotonic()
        self._count()
        if self.is_retired(link):  # it was told to go before it had come
            return
        if not any(place.was_ready for place in self._places.values()):  # so others may have given up before
            for place in self._places.values():
                if place.failures >= self._policy.max_starts:
                    _warn(place)
        place = self._places[link.worker]
        fields = {"worker": link.worker, "generation": link.generation}
        if place.vacant_since:
            seconds = round(time.monotonic() - place.vacant_since, 6)
            self._journal.note("restarted", **fields, seconds=seconds)
        else:
            self._journal.note("started", **fields)
        place.was_ready, place.vacant_since = True, 0.0
        place.failures = place.kills = 0

    def leaves(self, link: Link) -> None:
        """Note that a worker takes no more messages, since it has grown too large."""
        link.progress.leaving = True
        self._count()

    def handled(self, link: Link) -> None:
        """Note that a worker has handled a message: starting works."""
        link.progress.handled += 1
        if link.progress.handled == 1:
            for place in self._places.values():
                place.failures = place.kills = place.deaths = 0

    def is_retired(self, link: Link) -> bool:
        """Tell whether a worker has no place in the crew any more."""
        return link.generation in self._retired

    def lose(self, link: Link, death: Death) -> None:
        """Note that a worker is gone; its place will be filled, if it still has one."""
        if not self._retired.pop(link.generation, None):
            self._vacate(self._places[link.worker], link, death)
        self._count()

    def _vacate(self, place: _Place, link: Link, death: Death) -> None:
        now = time.monotonic()
        place.link = None
        place.vacant_since = place.vacant_since or now
        if link.progress.handled or death.actors or death.cause in ("watermark", "withdrawn"):
            place.start_at = now
        elif link.progress.ready:  # it had started: the first death in a row costs no time, others may go on
            place.start_at = now + (_pause(place.deaths) if place.deaths else 0.0)
            place.deaths += 1
        elif death.own and not (death.cause == "signal" and place.was_ready):
            self._not_started(place, str(death))
        else:  # a worker that could start before hardly gives itself a signal
            place.kills, place.reason = place.kills + 1, str(death)
            place.start_at = now + (_pause(place.kills) if death.own else 0.0)

    def resize(self, workers: int) -> None:
        """Add places, or let the last ones go when they have handled what they hold."""
        for worker in range(len(self._places), workers):
            self._places[worker] = _Place()
        for worker in range(workers, len(self._places)):
            if link := self._places.pop(worker).link:
                self._retired[link.generation] = link
                link.send(Kind.STOP)
        self._count()

    def unwatch(self, link: Link) -> None:
        """Forget a worker's socket and process, before they are closed."""
        self._selector.unregister(link.sock)
        if WATCHES_PROCESSES:
            self._selector.unregister(link.process.sentinel)

    def _watch(self, link: Link) -> None:
        self._selector.register(link.sock, selectors.EVENT_READ, link)
        if WATCHES_PROCESSES:
            self._selector.register(link.process.sentinel, selectors.EVENT_READ, link)

    def _origin_lost(self, place: _Place, reason: str) -> None:
        """Try again soon: somebody killed the process that workers fork from, which is started anew."""
        place.kills, place.reason = place.kills + 1, reason
        place.vacant_since = place.vacant_since or time.monotonic()
        place.start_at = time.monotonic() + FIRST_PAUSE

    def _not_started(self, place: _Place, reason: str) -> None:
        place.failures += 1
        place.reason = reason
        if place.failures == self._policy.max_starts and any(
            other.was_ready for other in self._places.values()
        ):
            _warn(place)
        place.vacant_since = place.vacant_since or time.monotonic()
        place.start_at = time.monotonic() + _pause(place.failures)


def _warn(place: _Place) -> None:
    logger.warning("%s; as long as others can, they go on without it", place.reason)


def _pause(failures: int) -> float:
    """Return the seconds until the next start after so many failures in a row."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE)
