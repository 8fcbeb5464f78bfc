"""The supervisor: the one thread that owns the workers, the mailboxes and the memory of replies.

It waits on the workers' sockets and ends, and on its own wake-up socket; nothing polls. A worker pulls its
next message when its last has its result. All methods but `call` run in this thread.

A worker that dies fails every message of the system, loudly: no result of a run that lost a part is offered
as if it were whole. Restart, retry and deadlines have their place in `_on_death`.
"""

import itertools
import selectors
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fedlocal.actors.batch import ActorSystemError, Batch, Task
from fedlocal.actors.link import Link
from fedlocal.actors.memory import Broadcast, Buffer, SlotPool
from fedlocal.actors.messages import Behaviour, Failure, Reply, Result, Wire
from fedlocal.actors.schedule import Schedule
from fedlocal.actors.wire import STATE, Frame, Kind

POOL_BUDGET = 1 << 30  # bytes of shared memory for replies; what does not fit is copied over the sockets
WATCHES_PROCESSES = sys.platform != "win32"  # as well as sockets, which a worker's child may keep open


@dataclass(frozen=True)
class _InFlight:
    message: int
    task: Task
    pool: SlotPool | None
    slot: int


class Supervisor:
    """Workers, mailboxes and memory of one actor system.

    Parameters
    ----------
    start : callable
        Builds the behaviour in each worker.
    workers : int
        Number of worker processes.
    method : str, optional
        How processes start.
    """

    def __init__(self, start: Callable[[], Behaviour], workers: int, method: str | None) -> None:
        self.ready = threading.Event()
        self.error: ActorSystemError | None = None
        self._commands: deque[Callable[[], None]] = deque()
        self._schedule: Schedule[Task] = Schedule()
        self._states: dict[int, bytes] = {}
        self._in_flight: dict[int, _InFlight] = {}  # by worker
        self._batches: set[Batch] = set()
        self._pool: SlotPool | None = None
        self._messages = itertools.count(1)
        self._kill_at: float | None = None
        self._gate, self._closed = threading.Lock(), False
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._links: dict[int, Link] = {}
        try:
            for worker in range(workers):
                self._connect(Link(worker, worker + 1, start, method))
        except BaseException:
            self._end_all()
            raise
        self.thread = threading.Thread(target=self._run, name="fedlocal-supervisor", daemon=True)
        self.thread.start()

    def call(self, command: Callable[[], None]) -> bool:
        """Have the supervisor's thread run `command` soon; for any thread. False if it has ended."""
        with self._gate:
            if self._closed:
                return False
            self._commands.append(command)
            with suppress(BlockingIOError):  # then it is awake already
                self._wake_out.send(b"!")
            return True

    def post(self, batch: Batch) -> None:
        """Put the messages of a batch into the mailboxes of their actors."""
        if self.error or self._kill_at is not None:
            batch.fail(self.error or ActorSystemError("the actor system is closed"))
            return
        self._batches.add(batch)
        self._grow_pool(batch)
        for index, envelope in enumerate(batch.envelopes):
            self._schedule.put(envelope.actor, envelope.cost, Task(batch, index))

    def withdraw(self, batch: Batch, reason: str) -> None:
        """Give up on the messages of a batch that have no result yet; late answers will be dropped."""
        self._schedule.remove(lambda task: task.batch is batch)
        batch.settle_missing("timeout", reason)
        self._batches.discard(batch)

    def release(self, content: Broadcast) -> None:
        """Forget a content that no message will name again."""
        for link in self._links.values():
            link.release(content.number)
        content.close()

    def stop(self, grace: float) -> None:
        """Ask the workers to end, and kill those that have not after `grace` seconds."""
        deadline = time.monotonic() + grace
        if self._kill_at is None:
            for link in self._links.values():
                link.send(Kind.STOP)
        self._kill_at = min(deadline, self._kill_at or deadline)
        for batch in self._batches:
            batch.fail(ActorSystemError("the actor system was closed"))

    # The loop ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._links:
                for key, events in self._selector.select(self._patience()):
                    self._on_event(key, events)
                self._run_commands()
                if self._kill_at is None:
                    self._dispatch()
                elif time.monotonic() >= self._kill_at:
                    break
        except BaseException as error:  # a bug here must not leave anybody waiting
            self._fail(f"the supervisor failed: {error!r}")
            raise
        finally:
            self._end_all()

    def _run_commands(self) -> None:
        while self._commands:
            self._commands.popleft()()

    def _patience(self) -> float | None:
        return None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())

    def _on_event(self, key: selectors.SelectorKey, events: int) -> None:
        link: Link | None = key.data
        if link is None:
            with suppress(BlockingIOError):
                self._wake_in.recv(4096)
        elif self._links.get(link.worker) is link:
            if events & selectors.EVENT_WRITE:
                link.write()
                self._watch(link)
            if events & selectors.EVENT_READ:
                self._on_readable(link, ended=key.fileobj is not link.sock)

    def _on_readable(self, link: Link, *, ended: bool) -> None:
        try:
            arrived, still_open = link.read()  # also of a process that has ended: what it said counts
            for frame in arrived:
                self._on_frame(link, frame)
        except (ValueError, KeyError, TypeError) as error:  # no frame, or not one of ours
            self._on_death(link, f"broke the protocol: {error}")
            return
        if ended or not still_open:
            self._on_death(link, link.exit_reason())

    def _watch(self, link: Link) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.sending else 0)
        if self._selector.get_key(link.sock).events != events:
            self._selector.modify(link.sock, events, link)

    # Workers -------------------------------------------------------------------------------------------

    def _connect(self, link: Link) -> None:
        self._links[link.worker] = link
        self._selector.register(link.sock, selectors.EVENT_READ, link)
        if WATCHES_PROCESSES:
            self._selector.register(link.process.sentinel, selectors.EVENT_READ, link)

    def _disconnect(self, link: Link) -> None:
        del self._links[link.worker]
        self._selector.unregister(link.sock)
        if WATCHES_PROCESSES:
            self._selector.unregister(link.process.sentinel)
        link.end()
        if (flight := self._in_flight.pop(link.worker, None)) and flight.pool:
            flight.pool.free(flight.slot)  # its writer is reaped

    def _on_death(self, link: Link, how: str) -> None:
        flight = self._in_flight.get(link.worker)
        doing = f" while actor {flight.task.envelope.actor} handled a message" if flight else ""
        self._disconnect(link)
        if self._kill_at is None:
            self._fail(f"worker {link.worker} {how}{doing}")

    def _fail(self, reason: str) -> None:
        self.error = self.error or ActorSystemError(reason)
        for batch in self._batches:
            batch.fail(self.error)
        self._batches.clear()
        self.ready.set()

    def _end_all(self) -> None:
        with self._gate:
            self._closed = True
            self._kill_at = self._kill_at or time.monotonic()
        self._run_commands()  # none comes after these: a batch among them fails
        for link in list(self._links.values()):
            self._disconnect(link)
        self._pool = None
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()
        self.ready.set()

    # Messages ------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        for link in self._links.values():
            if (
                link.ready
                and link.worker not in self._in_flight
                and (taken := self._schedule.take(link.worker))
            ):
                self._send(link, *taken)

    def _send(self, link: Link, task: Task, ran_elsewhere: bool) -> None:
        envelope = task.envelope
        slot = self._pool.take() if self._pool and envelope.reply_bytes else -1
        flight = _InFlight(next(self._messages), task, self._pool if slot >= 0 else None, slot)
        self._in_flight[link.worker] = flight
        link.give(envelope.content, flight.pool)
        fields = {
            "actor": envelope.actor,
            "content": envelope.content.number if envelope.content else 0,
            "slot": flight.slot,
        }
        state = [self._states.get(envelope.actor, b"")] if ran_elsewhere else []
        link.send(Kind.MESSAGE, flight.message, fields, [envelope.body, *state])
        self._watch(link)

    def _on_frame(self, link: Link, frame: Frame) -> None:
        if frame.generation != link.generation:
            return
        flight = self._in_flight.get(link.worker)
        if frame.kind is Kind.READY:
            link.ready = True
            if all(other.ready for other in self._links.values()):
                self.ready.set()
        elif frame.kind is Kind.ERROR and not link.ready:
            self._fail(f"worker {link.worker} could not start: {frame.fields['traceback']}")
        elif flight and frame.message == flight.message:
            self._on_result(link, flight, frame)

    def _on_result(self, link: Link, flight: _InFlight, frame: Frame) -> None:
        task, fields = flight.task, frame.fields
        actor = task.envelope.actor
        if frame.kind is Kind.REPLY:
            result: Result = self._reply(link, flight, frame)
        else:
            result = Failure(actor, "exception", fields["reason"], fields["traceback"])
        del self._in_flight[link.worker]
        if flight.pool and not fields.get("in_slot"):
            flight.pool.free(flight.slot)
        in_time = task.batch.settle(task.index, result)
        if in_time and fields.get("state_changed"):
            self._states[actor] = bytes(frame.parts[STATE])
        # After an error or a late answer its worker may hold a state that does not count.
        self._schedule.done(actor, forget=not in_time or isinstance(result, Failure))
        if task.batch.done:
            self._batches.discard(task.batch)

    def _reply(self, link: Link, flight: _InFlight, frame: Frame) -> Reply:
        fields, (header, body, _, *inline) = frame.fields, frame.parts
        arrays: Sequence[Buffer] = inline
        if flight.pool and fields["in_slot"]:
            arrays = flight.pool.read(flight.slot, fields["lengths"])
        wire = Wire(bytes(header), bytes(body), arrays)
        return Reply(flight.task.envelope.actor, wire, fields["started"], fields["ended"], link.worker)

    def _grow_pool(self, batch: Batch) -> None:
        sizes = [envelope.reply_bytes for envelope in batch.envelopes if envelope.reply_bytes]
        pool, largest = self._pool, max(sizes, default=0)
        if not sizes or (
            pool and pool.slot_bytes >= largest and pool.slots >= min(len(sizes), POOL_BUDGET // largest)
        ):
            return
        self._pool = SlotPool.create(largest, len(sizes), POOL_BUDGET) or pool
