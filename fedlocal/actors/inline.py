"""Actors without workers: this process runs them one after another, for debuggers and small work."""

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from os import PathLike

from fedlocal.actors.base import System
from fedlocal.actors.batch import ActorSystemError, Batch
from fedlocal.actors.engine.journal import Journal
from fedlocal.actors.messages import Behaviour, Envelope, Failure, Reply, Result, Wire
from fedlocal.actors.spawned.behaviour import SpawnedBehaviour
from fedlocal.actors.spawned.registry import ActorRegistry
from fedlocal.actors.worker.threads import one_thread
from fedlocal.memory.buffers import Broadcast
from fedlocal.memory.parts import Buffer, raw
from fedlocal.signals import code_of_signal


class InlineSystem(System):
    """The interface and the guarantees of an `ActorSystem`, without its processes.

    Parameters
    ----------
    start : callable, optional
        Builds the behaviour, here and now; without it, actors are spawned.
    journal : path-like, optional
        A file to which every message's fate is appended (:mod:`fedlocal.actors.engine.journal`).
    """

    workers = 1

    def __init__(
        self,
        start: Callable[[], Behaviour] | None = None,
        *,
        journal: "str | PathLike[str] | None" = None,
    ) -> None:
        with one_thread():
            self._behaviour: Behaviour = start() if start else SpawnedBehaviour()
        self._states: dict[int, bytes] = {}
        self._closed = False
        self._journal, self._posted = Journal(journal), 0
        self._registry = None if start else ActorRegistry(self)
        self._queue: deque[Batch] = deque()
        self._handling_lock = threading.Lock()
        self._posting_lock = threading.RLock()  # one message at a time, whichever thread posts it

    def share(self, header: bytes, arrays: Sequence[Buffer]) -> Broadcast:
        """Make content that many messages can name."""
        return Broadcast(header, arrays, private=True)

    def release(self, content: Broadcast) -> None:
        """Give shared content back."""
        content.close()

    def post(self, envelopes: Sequence[Envelope]) -> Batch:
        """Handle the messages before returning, in their order."""
        batch = Batch(envelopes)
        if self._closed:
            batch.fail(ActorSystemError("the actor system is closed"))
            return batch
        with self._posting_lock, one_thread():
            self._run(batch)
            self._journal.flush()
        return batch

    def submit(self, envelope: Envelope) -> Future[Result]:
        """Handle one message before returning, unless another one is being handled; return its future."""
        future = super().submit(envelope)
        self.carry_on()
        return future

    def deliver(self, batch: Batch) -> None:
        """Take messages, and handle them when `carry_on` is called."""
        if self._closed:
            batch.fail(ActorSystemError("the actor system is closed"))
        else:
            self._queue.append(batch)

    def carry_on(self) -> None:
        """Handle what was delivered, and what that leads to, unless another call does so already."""
        while self._queue and self._handling_lock.acquire(blocking=False):
            try:
                with one_thread():
                    while self._queue:
                        self._run(self._queue.popleft())
                self._journal.flush()
            finally:
                self._handling_lock.release()

    def _run(self, batch: Batch) -> None:
        batch.first = self._posted + 1
        self._posted += len(batch.envelopes)
        for index, envelope in enumerate(batch.envelopes):
            self._journal.posted(batch.first + index, envelope.actor)
        for index, envelope in enumerate(batch.envelopes):
            batch.settle(index, self._handle_and_journal(batch.first + index, envelope))

    def _handle_and_journal(self, message: int, envelope: Envelope) -> Result:
        self._journal.acknowledged(message, 0, 0)
        result = self._handle(envelope)
        if isinstance(result, Reply):
            self._journal.replied(message)
        else:
            self._journal.note("failed", message=message, cause=result.cause, reason=result.reason[:500])
        return result

    def withdraw(self, batch: Batch, reason: str) -> None:
        """Do nothing: a posted message has been handled."""

    def states(self) -> dict[int, bytes]:
        """Return the states of all actors that have one."""
        return dict(self._states)

    def restore(self, states: Mapping[int, bytes]) -> None:
        """Set the states of actors."""
        self._states.update(states)

    def close(self) -> None:
        """Accept no more messages."""
        self._closed = True
        while self._queue:
            self._queue.popleft().fail(ActorSystemError("the actor system was closed"))
        if self._registry:
            self._registry.close()
        self._journal.close()

    def _handle(self, envelope: Envelope) -> Result:
        actor, content = envelope.actor, envelope.content
        message = Wire(content.header, envelope.body, content.inline) if content else Wire(body=envelope.body)
        started = time.perf_counter()
        try:
            reply, state = self._behaviour.handle(actor, message, self._states.get(actor, b""))
        except (Exception, SystemExit) as error:
            if isinstance(error, SystemExit) and code_of_signal():  # which is not the actor's
                raise
            reason = "".join(traceback.format_exception_only(error)).strip()
            return Failure(actor, "exception", reason, traceback.format_exc())
        if state:
            self._states[actor] = state
        else:
            self._states.pop(actor, None)
        copies = [bytearray(raw(array)) for array in reply.arrays]  # the next call may reuse them
        wire = Wire(reply.header, reply.body, copies)
        return Reply(actor, wire, started, time.perf_counter(), worker=0)
