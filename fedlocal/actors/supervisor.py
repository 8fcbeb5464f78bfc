"""The supervisor: the one thread that owns the workers, the mailboxes and the memory of replies.

It waits on the workers' sockets and ends, and on its own wake-up socket; nothing polls. What a worker is
given, :mod:`~fedlocal.actors.dispatch` decides. All methods but `call` run in this thread.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from fedlocal.actors.batch import ActorSystemError, Batch, Task
from fedlocal.actors.dispatch import Dispatcher
from fedlocal.actors.link import Link
from fedlocal.actors.memory import Broadcast, Buffer, SlotPool
from fedlocal.actors.messages import Behaviour, Failure, Reply, Result, Wire
from fedlocal.actors.wire import Addressed, Frame, Handled, Kind

POOL_BUDGET = 1 << 30  # bytes of shared memory for replies; what does not fit is copied over the sockets
WATCHES_PROCESSES = sys.platform != "win32"  # as well as sockets, which a worker's child may keep open


class _InFlight(NamedTuple):
    task: Task
    pool: SlotPool | None
    slot: int

    def free_slot(self) -> None:
        """Give the slot back that nobody will write to or read from."""
        if self.pool:
            self.pool.free(self.slot)


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
        self._dispatcher = Dispatcher()
        self._states: dict[int, bytes] = {}
        self._in_flight: dict[int, dict[int, _InFlight]] = {}  # by worker and message, in the worker's order
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
        for index in range(len(batch.envelopes)):
            self._dispatcher.put(Task(batch, index))

    def withdraw(self, batch: Batch, reason: str) -> None:
        """Give up on the messages of a batch that have no result yet; late answers will be dropped."""
        self._dispatcher.schedule.remove(lambda task: task.batch is batch)
        batch.settle_missing("timeout", reason)
        self._batches.discard(batch)

    def release(self, content: Broadcast) -> None:
        """Forget a content that no message will name again."""
        for link in self._links.values():
            link.release(content.number)
        self._dispatcher.forget_content(content.number)
        content.close()

    def states(self) -> dict[int, bytes]:
        """Return the states of all actors that have one."""
        return dict(self._states)

    def restore(self, states: Mapping[int, bytes]) -> None:
        """Set the states of actors that have not handled a message yet."""
        self._states.update(states)

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
        self._in_flight[link.worker] = {}
        self._selector.register(link.sock, selectors.EVENT_READ, link)
        if WATCHES_PROCESSES:
            self._selector.register(link.process.sentinel, selectors.EVENT_READ, link)

    def _disconnect(self, link: Link) -> None:
        del self._links[link.worker]
        self._selector.unregister(link.sock)
        if WATCHES_PROCESSES:
            self._selector.unregister(link.process.sentinel)
        link.end()
        self._dispatcher.forget_worker(link.worker)
        for flight in self._in_flight.pop(link.worker).values():
            flight.free_slot()  # its writer is reaped

    def _on_death(self, link: Link, how: str) -> None:
        flight = next(iter(self._in_flight[link.worker].values()), None)
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
        ready = [worker for worker, link in self._links.items() if link.ready]
        for worker, messages in self._dispatcher.assign(ready).items():
            self._send(self._links[worker], messages)

    def _send(self, link: Link, messages: Sequence[tuple[Task, bool]]) -> None:
        """Send a worker messages in one frame, after the contents and the pool that they name."""
        described, parts = [], []
        for task, ran_elsewhere in messages:
            envelope = task.envelope
            slot = self._pool.take() if self._pool and envelope.reply_bytes else -1
            flight = _InFlight(task, self._pool if slot >= 0 else None, slot)
            number = next(self._messages)
            self._in_flight[link.worker][number] = flight
            link.give(envelope.content, flight.pool)
            content = envelope.content.number if envelope.content else 0
            described.append(Addressed(number, envelope.actor, content, slot, ran_elsewhere))
            state = self._states.get(envelope.actor, b"") if ran_elsewhere else b""
            parts += [envelope.body, state]
        link.send(Kind.MESSAGES, {"messages": described}, parts)
        self._watch(link)

    def _on_frame(self, link: Link, frame: Frame) -> None:
        if frame.generation != link.generation:
            return
        if frame.kind is Kind.READY:
            link.ready = True
            if all(other.ready for other in self._links.values()):
                self.ready.set()
        elif frame.kind is Kind.BROKEN:
            self._fail(f"worker {link.worker} could not start: {frame.fields['traceback']}")
        elif frame.kind is Kind.REPLIES:
            parts = iter(frame.parts)
            for described in frame.fields["replies"]:
                self._on_reply(link, Handled(*described), parts)
        elif frame.kind is Kind.ERROR:
            fields = frame.fields
            flight = self._in_flight[link.worker].pop(fields["message"])
            flight.free_slot()
            failure = Failure(flight.task.envelope.actor, "exception", fields["reason"], fields["traceback"])
            self._settle(link, flight, failure)

    def _on_reply(self, link: Link, handled: Handled, parts: Iterator[memoryview]) -> None:
        flight = self._in_flight[link.worker].pop(handled.message)
        header, body, state = (bytes(next(parts)) for _ in range(3))
        if flight.pool and handled.in_slot:  # the slot is free when the reader is done
            arrays: Sequence[Buffer] = flight.pool.read(flight.slot, handled.lengths)
        else:
            arrays = [next(parts) for _ in handled.lengths]
            flight.free_slot()
        actor, wire = flight.task.envelope.actor, Wire(header, body, arrays)
        result = Reply(actor, wire, handled.started, handled.ended, link.worker)
        self._settle(link, flight, result, state if handled.state_changed else None)

    def _settle(self, link: Link, flight: _InFlight, result: Result, state: bytes | None = None) -> None:
        """Commit a result and the state that comes with it."""
        task, actor = flight.task, result.actor
        in_time = task.batch.settle(task.index, result)
        if in_time and state is not None:
            self._commit(actor, state)
        seconds = result.ended - result.started if isinstance(result, Reply) else None
        self._dispatcher.done(link.worker, task, seconds)
        # After an error or a late answer its worker may hold a state that does not count.
        self._dispatcher.schedule.done(actor, forget=not in_time or isinstance(result, Failure))
        if task.batch.done:
            self._batches.discard(task.batch)

    def _commit(self, actor: int, state: bytes) -> None:
        if state:
            self._states[actor] = state
        else:
            self._states.pop(actor, None)

    def _grow_pool(self, batch: Batch) -> None:
        largest = max((envelope.reply_bytes for envelope in batch.envelopes), default=0)
        if largest and not (self._pool and self._pool.slot_bytes >= largest):
            self._pool = SlotPool.create(largest, POOL_BUDGET) or self._pool
