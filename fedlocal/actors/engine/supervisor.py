"""The supervisor: the one thread that owns the workers, the mailboxes and the memory of replies.

It waits on the workers' sockets and ends, on its own wake-up socket, and on the clock; nothing polls. Who
works is the business of :mod:`~fedlocal.actors.engine.worker_pool`, what they get and give of
:mod:`~fedlocal.actors.engine.delivery`; this module turns events into calls of the two. Methods say
so if they are for any thread; the others run in this one.
"""

import logging
import os
import selectors
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from fedlocal.actors.batch import ActorSystemError, Batch
from fedlocal.actors.engine.delivery import Delivery
from fedlocal.actors.engine.exit_causes import Cause, WorkerExit
from fedlocal.actors.engine.journal import Journal
from fedlocal.actors.engine.worker_connection import WorkerConnection
from fedlocal.actors.engine.worker_pool import WorkerPool
from fedlocal.actors.messages import Behaviour
from fedlocal.actors.policy import Policy
from fedlocal.actors.text import readable
from fedlocal.actors.worker.frames import Frame, FrameKind, ProtocolError
from fedlocal.actors.worker.processes import break_off
from fedlocal.compat import cpython
from fedlocal.memory.buffers import Broadcast

logger = logging.getLogger(__name__)

OVERSLEPT = 1.0  # seconds after its time at which this process woke up: it was stopped, or had no core


class Supervisor:
    """Workers, mailboxes and memory of one actor system; `on_death` gets each end that nobody asked for."""

    def __init__(
        self,
        start: Callable[[], Behaviour],
        workers: int,
        method: str | None,
        policy: Policy,
        journal: Journal,
        on_death: Callable[[WorkerExit], None],
    ) -> None:
        _supervisors.add(self)
        self.ready = threading.Event()
        self.error: ActorSystemError | None = None
        self._policy, self._journal, self._on_death = policy, journal, on_death
        self._commands: deque[Callable[[], None]] = deque()
        self._kill_at: float | None = None
        self._recall_at: float | None = None
        self._gate, self._closed = threading.Lock(), False
        try:
            self._wake_in, self._wake_out = socket.socketpair()
            self._selector = selectors.DefaultSelector()
        except OSError as error:
            raise ActorSystemError(f"the actor system could not start: {error}") from error
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self.delivery = Delivery(policy, journal)
        self.pool = WorkerPool(start, workers, policy, method, self._selector, journal)
        try:
            self.pool.fill()
            self.thread = threading.Thread(target=self._run, name="fedlocal-supervisor", daemon=True)
            self.thread.start()
        except BaseException:  # with no thread to be had, too
            self._end_all()
            raise

    def call(self, command: Callable[[], None]) -> bool:
        """Have the supervisor's thread run `command` soon; for any thread. False if it has ended."""
        with self._gate:
            if self._closed:
                return False
            self._commands.append(command)
            with suppress(BlockingIOError):  # then it is awake already
                self._wake_out.send(b"!")
            return True

    @property
    def why_closed(self) -> ActorSystemError:
        """The error of whoever comes when it has ended."""
        return self.error or ActorSystemError("the actor system is closed")

    def deliver(self, batch: Batch) -> None:
        """Take messages; for any thread."""
        if not self.call(lambda: self._post(batch)):
            batch.fail(self.why_closed)

    def carry_on(self) -> None:
        """Do nothing: workers handle messages."""

    def release(self, content: Broadcast) -> None:
        """Forget a content that no message will name again; for any thread."""
        self.call(lambda: self._release(content))

    def _post(self, batch: Batch) -> None:
        if self._kill_at is not None:
            batch.fail(ActorSystemError("the actor system is closed"))
        else:
            self.delivery.post(batch, str(self.error or ""))

    def _release(self, content: Broadcast) -> None:
        for connection in self.pool.connections:
            connection.release(content.number)
        self.delivery.release(content)

    def withdraw(self, batch: Batch, reason: str) -> None:
        """Give up on the messages of a batch that have no result yet, and end the handling of them."""
        doomed = [
            connection for connection in self.pool.connections if self.delivery.concerns(connection, batch)
        ]
        self.delivery.withdraw(batch, "timeout", reason)
        for connection in doomed:
            self._lose(connection, "withdrawn", "was ended: nobody waits for its message any more")

    def stop(self, grace: float) -> None:
        """Ask the workers to end, and kill those that have not after `grace` seconds."""
        deadline = time.monotonic() + grace
        if self._kill_at is None:
            for connection in self.pool.connections:
                connection.send(FrameKind.STOP)
        self._kill_at = min(deadline, self._kill_at or deadline)
        self.delivery.close(ActorSystemError("the actor system was closed"))

    def hurry(self) -> None:
        """End a start that keeps the thread from ending; for any thread."""
        self.pool.closing = True
        break_off()

    def lose_thread(self) -> None:
        """Note that this process is a fork: it has no such thread, and the workers are not its children."""
        self._gate, self._closed = threading.Lock(), True
        for connection in self.pool.connections:
            cpython.forget_child(connection.process)
        self.error = ActorSystemError(
            "this process is a fork of the one that opened the actor system; open another one here"
        )

    # The loop ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._kill_at is None or self.pool.connections:
                for key, events in self._events():
                    self._on_event(key, events)
                self._run_commands()
                if self._kill_at is None:
                    self._tend()
                elif time.monotonic() >= self._kill_at:
                    break
        except BaseException as error:  # a bug here must not leave anybody waiting
            self.error = ActorSystemError(f"the supervisor failed: {error!r}")
            self.delivery.close(self.error)
            raise
        finally:
            self._end_all()

    def _events(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events, or the clock.

        This process may have been stopped past a deadline, with its workers or without: what workers sent
        meanwhile is read before any deadline counts, and each worker has its time again.
        """
        patience, before = self._patience(), time.monotonic()
        events = self._selector.select(patience) or self._selector.select(0)
        if patience is not None and time.monotonic() - before - patience > OVERSLEPT:
            for connection in self.pool.connections:
                connection.progress.since = time.monotonic()
        return events

    def _run_commands(self) -> None:
        while self._commands:
            self._commands.popleft()()

    def _tend(self) -> None:
        """Do what the clock and the mailboxes ask for."""
        now = time.monotonic()
        for connection in self.pool.connections:
            overdue_at = connection.overdue_at(self._policy)
            if overdue_at is not None and overdue_at <= now:
                self._give_up_on(connection)
        if self.pool.vacant and not self.error:
            self.pool.fill()
            if self.pool.hopeless:
                self.error = ActorSystemError(self.pool.hopeless)
                self.delivery.abandon(self.pool.hopeless)
        if not self.ready.is_set() and (self.pool.settled or self.error):
            self.ready.set()
        if self._recall_at is not None and self._recall_at <= now:
            self.delivery.recall(self.pool.ready, now)
        for connection in self.delivery.dispatch(self.pool.ready):
            self._watch(connection)
        self._recall_at = self.delivery.recall_at(self.pool.ready)

    def _give_up_on(self, connection: WorkerConnection) -> None:
        if connection.progress.ready:
            self._lose(connection, "deadline", f"did not answer within {self._policy.deadline:g} s")
        else:
            self._lose(connection, "start", f"was not ready within {self._policy.start_deadline:g} s")

    def _patience(self) -> float | None:
        """Return the seconds until the clock asks for something; None if it never will."""
        times = [self._kill_at]
        if self._kill_at is None:
            times += [connection.overdue_at(self._policy) for connection in self.pool.connections]
            times += [self._recall_at, *([] if self.error else [self.pool.next_start()])]
        due = min((moment for moment in times if moment is not None), default=None)
        return None if due is None else max(0.0, due - time.monotonic())

    def _on_event(self, key: selectors.SelectorKey, events: int) -> None:
        connection: WorkerConnection | None = key.data
        if connection is None:
            with suppress(BlockingIOError):
                self._wake_in.recv(4096)
        elif connection in self.pool.connections:
            if events & selectors.EVENT_WRITE:
                connection.write()
                self._watch(connection)
            if events & selectors.EVENT_READ:
                self._on_readable(connection, ended=key.fileobj is not connection.sock)

    def _on_readable(self, connection: WorkerConnection, *, ended: bool) -> None:
        try:
            for frame in connection.read():  # also of a process that has ended: what it said counts
                self._on_frame(connection, frame)
                if connection not in self.pool.connections:
                    return
        except ProtocolError as error:
            self._lose(connection, "protocol", f"broke the protocol: {error}")
            return
        if ended or not connection.open:
            self._lose(connection)

    def _watch(self, connection: WorkerConnection) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.sending else 0)
        if self._selector.get_key(connection.sock).events != events:
            self._selector.modify(connection.sock, events, connection)

    def _on_frame(self, connection: WorkerConnection, frame: Frame) -> None:
        connection.progress.since = time.monotonic()
        if frame.generation != connection.generation or frame.kind not in _FROM_WORKERS:
            raise ProtocolError(f"a frame of kind {frame.kind.name} and generation {frame.generation}")
        if connection.progress.ready is (frame.kind in _BEFORE_READY):
            raise ProtocolError(f"a frame of kind {frame.kind.name} at the wrong time")
        if frame.kind is FrameKind.REPLIES:
            self.delivery.on_replies(connection, frame)
            self.pool.on_handled(connection)
        elif frame.kind is FrameKind.ERROR:
            self.delivery.on_error(connection, frame)
            self.pool.on_handled(connection)
        elif frame.kind is FrameKind.ACKNOWLEDGE:
            connection.acknowledge(frame)
        elif frame.kind is FrameKind.READY:
            self.pool.on_ready(connection)
        elif frame.kind is FrameKind.BROKEN:
            trace = readable(str(frame.fields.get("traceback")))
            self._lose(connection, "start", f"could not start: {trace}")
        else:
            self.pool.on_leaving(connection)

    # Ends ----------------------------------------------------------------------------------------------

    def _lose(self, connection: WorkerConnection, cause: Cause | None = None, detail: str = "") -> None:
        """Reap a worker that is gone, or has to go, and have its seat filled and its messages tried again."""
        self.pool.unwatch(connection)
        expected = self._kill_at is not None or (
            self.pool.is_retired(connection) and not connection.in_flight
        )
        worker_exit = connection.end(cause, detail)
        self.pool.on_exit(connection, worker_exit)
        self.delivery.on_exit(connection, worker_exit)
        if not expected:
            fields = {
                "worker": worker_exit.worker,
                "generation": worker_exit.generation,
                "cause": worker_exit.cause,
            }
            self._journal.note("died", **fields, reason=worker_exit.detail[:500])
            logger.log(logging.WARNING if self.ready.is_set() else logging.DEBUG, "%s", worker_exit)
            self._report(worker_exit)

    def _report(self, worker_exit: WorkerExit) -> None:
        try:
            self._on_death(worker_exit)
        except BaseException:  # somebody else's mistake, which is not to end the supervisor
            logger.exception("on_death raised")

    def _end_all(self) -> None:
        with self._gate:
            self._closed = True
            self._kill_at = self._kill_at or time.monotonic()
        self._run_commands()  # none comes after these: a batch among them fails
        for connection in self.pool.connections:
            self._lose(connection, "withdrawn", "was ended with its system")
        self._journal.close()
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()
        self.ready.set()


def _after_fork() -> None:
    for supervisor in list(_supervisors):
        supervisor.lose_thread()


_supervisors: "weakref.WeakSet[Supervisor]" = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

_BEFORE_READY = (FrameKind.READY, FrameKind.BROKEN)
_FROM_WORKERS = (*_BEFORE_READY, FrameKind.REPLIES, FrameKind.ERROR, FrameKind.ACKNOWLEDGE, FrameKind.LEAVING)
