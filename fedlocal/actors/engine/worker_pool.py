"""The workers of a system: started, replaced when they die, added and let go while it runs.

After OTP's ``one_for_one``: a worker that dies is replaced at once, the others go on. One that does not
manage to start is tried again with growing pauses; when none has managed for too long, the pool is
`hopeless`.
"""

import itertools
import logging
import selectors
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from fedlocal.actors.engine.exit_causes import WorkerExit
from fedlocal.actors.engine.journal import Journal
from fedlocal.actors.engine.worker_connection import WorkerConnection
from fedlocal.actors.messages import Behaviour
from fedlocal.actors.policy import Policy
from fedlocal.actors.worker.frames import FrameKind

logger = logging.getLogger(__name__)

WATCHES_PROCESSES = sys.platform != "win32"  # as well as sockets, which a worker's child may keep open
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds before a start is tried again


@dataclass
class _Seat:
    """A worker's seat in the pool, whichever process fills it."""

    connection: WorkerConnection | None = None
    start_at: float = 0.0  # when to fill it, if it is vacant
    vacant_since: float = 0.0
    failures: int = 0  # to start, in a row
    kills: int = 0  # from outside while it started, in a row
    exits: int = 0  # of workers that were ready, in a row
    reason: str = ""  # of the last failure
    was_ready: bool = False


class WorkerPool:
    """The workers' processes."""

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
        self._seats = {worker: _Seat() for worker in range(workers)}
        self._retired: dict[int, WorkerConnection] = {}  # whose seats are gone
        self.connections: list[WorkerConnection] = []  # the workers that have a process
        self.ready: dict[int, WorkerConnection] = {}  # those that take messages, by generation
        self.vacant = True  # whether a seat has no process
        self.closing = False  # set by any thread: no process starts any more

    @property
    def settled(self) -> bool:
        """Whether each worker has been ready, or has failed to start as often as it may."""
        limit = self._policy.max_starts
        return all(seat.was_ready or seat.failures >= limit for seat in self._seats.values())

    @property
    def hopeless(self) -> str:
        """Why no worker will start; empty as long as one may."""
        failed = [seat for seat in self._seats.values() if seat.failures >= self._policy.max_starts]
        killed = [seat for seat in self._seats.values() if seat.kills >= self._policy.max_kills]
        return (failed or killed)[0].reason if len(failed) + len(killed) >= len(self._seats) else ""

    def fill(self) -> None:
        """Start a process in each vacant seat whose time has come."""
        now = time.monotonic()
        for worker, seat in self._seats.items():
            if seat.connection is None and seat.start_at <= now and not (self.hopeless or self.closing):
                generation = next(self._generations)
                try:
                    seat.connection = WorkerConnection(
                        worker, generation, self._start, self._policy, self._method
                    )
                except ConnectionError as error:
                    self._lost_fork_server(seat, f"worker {worker} could not start: {error}")
                except OSError as error:
                    self._failed_start(seat, f"worker {worker} could not start: {error}")
                else:
                    self._watch(seat.connection)
        self._count()

    def _count(self) -> None:
        """Note which workers are there: that is asked for far more often than it changes."""
        present = [seat.connection for seat in self._seats.values() if seat.connection]
        self.connections = [*present, *self._retired.values()]
        self.ready = {
            connection.generation: connection
            for connection in present
            if connection.progress.ready and not connection.progress.leaving
        }
        self.vacant = len(present) < len(self._seats)

    def processes(self) -> list[int]:
        """Return the process numbers of the workers that live now."""
        return [connection.process.pid for connection in self.connections if connection.process.pid]

    def next_start(self) -> float | None:
        """Return when `fill` has something to do (``time.monotonic``); None for never."""
        if not self.vacant:
            return None
        return min((seat.start_at for seat in self._seats.values() if seat.connection is None), default=None)

    def on_ready(self, connection: WorkerConnection) -> None:
        """Note that a worker takes messages from now on."""
        connection.progress.ready, connection.progress.since = True, time.monotonic()
        self._count()
        if self.is_retired(connection):  # it was told to go before it had come
            return
        if not any(seat.was_ready for seat in self._seats.values()):  # so others may have given up before
            for seat in self._seats.values():
                if seat.failures >= self._policy.max_starts:
                    _warn(seat)
        seat = self._seats[connection.worker]
        fields = {"worker": connection.worker, "generation": connection.generation}
        if seat.vacant_since:
            seconds = round(time.monotonic() - seat.vacant_since, 6)
            self._journal.note("restarted", **fields, seconds=seconds)
        else:
            self._journal.note("started", **fields)
        seat.was_ready, seat.vacant_since = True, 0.0
        seat.failures = seat.kills = 0

    def on_leaving(self, connection: WorkerConnection) -> None:
        """Note that a worker takes no more messages, since it has grown too large."""
        connection.progress.leaving = True
        self._count()

    def on_handled(self, connection: WorkerConnection) -> None:
        """Note that a worker has handled a message: starting works."""
        connection.progress.handled += 1
        if connection.progress.handled == 1:
            for seat in self._seats.values():
                seat.failures = seat.kills = seat.exits = 0

    def is_retired(self, connection: WorkerConnection) -> bool:
        """Tell whether a worker has no seat in the pool any more."""
        return connection.generation in self._retired

    def on_exit(self, connection: WorkerConnection, worker_exit: WorkerExit) -> None:
        """Note that a worker is gone; its seat will be filled, if it still has one."""
        if not self._retired.pop(connection.generation, None):
            self._vacate(self._seats[connection.worker], connection, worker_exit)
        self._count()

    def _vacate(self, seat: _Seat, connection: WorkerConnection, worker_exit: WorkerExit) -> None:
        now = time.monotonic()
        seat.connection = None
        seat.vacant_since = seat.vacant_since or now
        if (
            connection.progress.handled
            or worker_exit.actors
            or worker_exit.cause in ("watermark", "withdrawn")
        ):
            seat.start_at = now
        elif (
            connection.progress.ready
        ):  # it had started: the first death in a row costs no time, others may go on
            seat.start_at = now + (_pause(seat.exits) if seat.exits else 0.0)
            seat.exits += 1
        elif worker_exit.at_fault and not (worker_exit.cause == "signal" and seat.was_ready):
            self._failed_start(seat, str(worker_exit))
        else:  # a worker that could start before hardly gives itself a signal
            seat.kills, seat.reason = seat.kills + 1, str(worker_exit)
            seat.start_at = now + (_pause(seat.kills) if worker_exit.at_fault else 0.0)

    def resize(self, workers: int) -> None:
        """Add seats, or let the last ones go when they have handled what they hold."""
        for worker in range(len(self._seats), workers):
            self._seats[worker] = _Seat()
        for worker in range(workers, len(self._seats)):
            if connection := self._seats.pop(worker).connection:
                self._retired[connection.generation] = connection
                connection.send(FrameKind.STOP)
        self._count()

    def unwatch(self, connection: WorkerConnection) -> None:
        """Forget a worker's socket and process, before they are closed."""
        self._selector.unregister(connection.sock)
        if WATCHES_PROCESSES:
            self._selector.unregister(connection.process.sentinel)

    def _watch(self, connection: WorkerConnection) -> None:
        self._selector.register(connection.sock, selectors.EVENT_READ, connection)
        if WATCHES_PROCESSES:
            self._selector.register(connection.process.sentinel, selectors.EVENT_READ, connection)

    def _lost_fork_server(self, seat: _Seat, reason: str) -> None:
        """Try again soon: somebody killed the process that workers fork from, which is started anew."""
        seat.kills, seat.reason = seat.kills + 1, reason
        seat.vacant_since = seat.vacant_since or time.monotonic()
        seat.start_at = time.monotonic() + FIRST_PAUSE

    def _failed_start(self, seat: _Seat, reason: str) -> None:
        seat.failures += 1
        seat.reason = reason
        if seat.failures == self._policy.max_starts and any(
            other.was_ready for other in self._seats.values()
        ):
            _warn(seat)
        seat.vacant_since = seat.vacant_since or time.monotonic()
        seat.start_at = time.monotonic() + _pause(seat.failures)


def _warn(seat: _Seat) -> None:
    logger.warning("%s; as long as others can, they go on without it", seat.reason)


def _pause(failures: int) -> float:
    """Return the seconds until the next start after so many failures in a row."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE)
