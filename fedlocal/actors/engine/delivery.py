"""Messages on their way: mailboxes, what each worker holds, retries, results, and the actors' states.

Every message ends in exactly one result. Handled at least once, it takes effect once: its reply and its
actor's new state commit together, and whatever else still comes for it is dropped. A message whose worker
died is tried again from the state before it: what it cost is charged to it by the cause of its death.
"""

import time
from collections.abc import Mapping, Sequence

from fedlocal.actors.batch import ActorSystemError, Batch, Task
from fedlocal.actors.engine.dispatcher import AHEAD, Dispatcher
from fedlocal.actors.engine.exit_causes import WorkerExit
from fedlocal.actors.engine.journal import Journal
from fedlocal.actors.engine.worker_connection import InFlight, WorkerConnection
from fedlocal.actors.messages import Envelope, Failure, Reply, Result, Wire
from fedlocal.actors.policy import Policy
from fedlocal.actors.text import readable
from fedlocal.actors.worker.frames import Addressed, Frame, FrameKind, Handled, ProtocolError, replies_of
from fedlocal.memory.buffers import Broadcast, SlotPool

POOL_BUDGET = 1 << 30  # bytes of shared memory for replies; what does not fit is copied over the sockets


class Delivery:
    """The messages of a system, from their posting to their results."""

    def __init__(self, policy: Policy, journal: Journal) -> None:
        self._policy, self._journal = policy, journal
        self._dispatcher = Dispatcher()
        self.states: dict[int, bytes] = {}  # of all actors that have one
        self._batches: set[Batch] = set()
        self._pool: SlotPool | None = None
        self._retired: set[int] = set()  # that still handle a message
        self._posted = 0

    # Posting -------------------------------------------------------------------------------------------

    def post(self, batch: Batch, unavailable: str = "") -> None:
        """Put messages into their actors' mailboxes, or fail them for the reason that nobody handles any."""
        self._batches.add(batch)
        batch.first = self._posted + 1
        self._posted += len(batch.envelopes)
        if not unavailable:
            self._grow_pool(batch)
        for index, envelope in enumerate(batch.envelopes):
            task = Task(batch, index)
            self._journal.posted(task.number, envelope.actor)
            if unavailable:
                self._fail(task, "unavailable", unavailable)
            elif refusal := self._refusal(envelope):
                self._fail(task, *refusal)
            else:
                self._dispatcher.put(task)
        self._finish(batch)

    def _refusal(self, envelope: Envelope) -> tuple[str, str] | None:
        content, policy = envelope.content, self._policy
        size = len(envelope.body) + (sum(map(len, content.inline)) if content else 0)
        if size > policy.max_message:
            return "size", f"a message of {size} bytes; at most {policy.max_message} travel"
        if self._dispatcher.mailboxes.waiting(envelope.actor) >= policy.max_mailbox:
            return "mailbox", f"{policy.max_mailbox} messages wait for the actor already"
        return None

    def withdraw(self, batch: Batch, cause: str, reason: str) -> None:
        """Give up on the messages of a batch that have no result yet; late answers will be dropped."""
        self._dispatcher.withdraw(lambda task: task.batch is batch)
        for task in batch.missing():
            self._fail(task, cause, reason)
        self._finish(batch)

    def abandon(self, reason: str) -> None:
        """Fail every message that has no result yet: nobody will handle it."""
        for batch in list(self._batches):
            self.withdraw(batch, "unavailable", reason)

    def close(self, error: ActorSystemError) -> None:
        """Fail every batch that has messages without a result."""
        for batch in list(self._batches):
            for task in batch.missing():
                self._journal.note("failed", message=task.number, cause="closed", reason=str(error))
            batch.fail(error)
            self._finish(batch)
        self._pool = None

    def concerns(self, connection: WorkerConnection, batch: Batch) -> bool:
        """Tell whether a worker is handling a message of a batch."""
        return any(connection.in_flight[message].task.batch is batch for message in connection.handling())

    # Dispatch ------------------------------------------------------------------------------------------

    def dispatch(self, connections: Mapping[int, WorkerConnection]) -> list[WorkerConnection]:
        """Send workers, by generation, what waits; return those that were sent something."""
        if not self._dispatcher.waiting:
            return []
        given = self._dispatcher.assign(list(connections))
        for generation, messages in given.items():
            self._send(connections[generation], messages)
        return [connections[generation] for generation in given]

    def _send(self, connection: WorkerConnection, messages: Sequence[tuple[Task, bool]]) -> None:
        """Send a worker messages in one frame, after the contents and the pool that they name."""
        described, parts = [], []
        if not connection.in_flight:
            connection.progress.since = time.monotonic()
        connection.frames += 1
        for task, ran_elsewhere in messages:
            envelope = task.envelope
            slot = self._pool.take() if self._pool and envelope.reply_bytes else -1
            flight = InFlight(task, self._pool if slot >= 0 else None, slot, connection.frames)
            connection.in_flight[task.number] = flight
            connection.give(envelope.content, flight.pool)
            content = envelope.content.number if envelope.content else 0
            described.append(Addressed(task.number, envelope.actor, content, slot, ran_elsewhere))
            state = self.states.get(envelope.actor, b"") if ran_elsewhere else b""
            parts += [envelope.body, state]
        short = self._dispatcher.expected(connection.generation, messages[-1][0]) < AHEAD
        connection.send(FrameKind.MESSAGES, {"messages": described, "short": short}, parts)

    def recall_at(self, connections: Mapping[int, WorkerConnection]) -> float | None:
        """Return when a worker's messages are to be given to another, which is idle; None for never."""
        if all(connection.in_flight for connection in connections.values()):
            return None
        times = (connection.recall_at() for connection in connections.values())
        return min((due for due in times if due is not None), default=None)

    def recall(self, connections: Mapping[int, WorkerConnection], now: float) -> None:
        """Take back what workers hold in advance and do not get to, where others are idle."""
        for connection in connections.values() if self.recall_at(connections) is not None else ():
            due = connection.recall_at()
            if due is not None and due <= now:
                for task in connection.recall():
                    self._journal.note("recalled", message=task.number, generation=connection.generation)
                    self._dispatcher.recall(connection.generation, task)

    # Results -------------------------------------------------------------------------------------------

    def on_replies(self, connection: WorkerConnection, frame: Frame) -> None:
        """Commit the replies in a frame.

        Raises
        ------
        ProtocolError
            If the frame does not hold valid replies.
        """
        for handled, parts in replies_of(frame):
            flight = self._flight(connection, handled.message)
            if flight is None:
                continue
            try:
                arrays = flight.arrays(handled.lengths) if handled.in_slot else parts[3:]
            except ValueError as error:
                raise ProtocolError(f"not replies: {error}") from error
            if not handled.in_slot:
                flight.free_slot()
            if task := self._answered(connection, flight, handled.started):
                header, body, state = map(bytes, parts[:3])
                self._commit(connection, task, handled, Wire(header, body, arrays), state)

    def _commit(
        self, connection: WorkerConnection, task: Task, handled: Handled, wire: Wire, state: bytes
    ) -> None:
        actor = task.envelope.actor
        retired = actor in self._retired
        self._retired.discard(actor)
        if handled.state_changed and not retired:
            self._set_state(actor, state)
        self._dispatcher.finish(connection.generation, task, handled.ended - handled.started, forget=retired)
        self._journal.replied(task.number)
        reply = Reply(actor, wire, handled.started, handled.ended, connection.worker)
        task.batch.settle(task.index, reply)
        self._finish(task.batch)

    def on_error(self, connection: WorkerConnection, frame: Frame) -> None:
        """Note that an actor raised: that is its message's result.

        Raises
        ------
        ProtocolError
            If the frame does not hold a valid error.
        """
        fields = frame.fields
        try:
            number, started = int(fields["message"]), float(fields["started"])
            reason, trace = readable(str(fields["reason"])), readable(str(fields["traceback"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ProtocolError(f"not an error: {error}") from error
        flight = self._flight(connection, number)
        if flight is None:
            return
        flight.free_slot()
        if task := self._answered(connection, flight, started):
            self._retired.discard(task.envelope.actor)
            # Its worker may hold a state that does not count.
            self._dispatcher.finish(connection.generation, task, forget=True)
            self._fail(task, "exception", reason, trace)
            self._finish(task.batch)

    def _flight(self, connection: WorkerConnection, message: int) -> InFlight | None:
        """Return a message that a worker holds; an answer to any other is dropped."""
        flight = connection.in_flight.get(message)
        if flight is None:
            self._journal.note("stale", message=message, generation=connection.generation)
        return flight

    def _answered(self, connection: WorkerConnection, flight: InFlight, started: float) -> Task | None:
        """Note an answer and return its message, None if that was given up: then no state counts either."""
        task = flight.task
        del connection.in_flight[task.number]
        connection.on_answer(flight.frame)
        self._journal.acknowledged(task.number, connection.worker, connection.generation, started)
        if not task.batch.has_result(task.index):
            return task
        self._journal.note("stale", message=task.number, generation=connection.generation)
        self._dispatcher.finish(connection.generation, task, forget=True)
        return None

    # Exits ---------------------------------------------------------------------------------------------

    def on_exit(self, connection: WorkerConnection, worker_exit: WorkerExit) -> None:
        """Take back what a dead worker held: the messages that it may be due to are charged, no others."""
        suspects = connection.suspects(worker_exit.cause)
        for number in connection.handling():
            self._journal.acknowledged(number, connection.worker, connection.generation)
        for number, flight in connection.in_flight.items():
            flight.free_slot()  # its writer is reaped
            task = flight.task
            if task.batch.has_result(task.index):
                self._dispatcher.drop(task)
            elif number in suspects and (
                failure := self._charge(task, worker_exit, alone=len(suspects) == 1)
            ):
                self._dispatcher.drop(task)
                self._fail(task, *failure)
            else:
                guilty = number in suspects and worker_exit.at_fault
                self._journal.note("retried", message=number, cause=worker_exit.cause)
                self._dispatcher.put_back(task, alone=guilty)
        connection.in_flight.clear()
        connection.free_recalled()
        self._dispatcher.forget_worker(connection.generation)
        for batch in list(self._batches):
            self._finish(batch)
        self._journal.flush()

    def _charge(self, task: Task, worker_exit: WorkerExit, *, alone: bool) -> tuple[str, str] | None:
        """Charge a message for its worker's death; return cause and reason if that was once too often.

        Of several that were handled at once nobody knows whose fault it was: each is tried again alone.
        """
        if worker_exit.cause == "withdrawn":
            return None
        task.kills += not worker_exit.at_fault
        task.crashes += worker_exit.at_fault and alone
        if task.crashes >= self._policy.max_crashes:
            cause = "deadline" if worker_exit.cause == "deadline" else "crash"
            return cause, f"{worker_exit} while handling the message, for the {_ordinal(task.crashes)} time"
        if task.kills >= self._policy.max_kills:
            return "killed", f"{worker_exit} while handling the message, for the {_ordinal(task.kills)} time"
        return None

    # States and contents ---------------------------------------------------------------------------------

    def restore(self, states: Mapping[int, bytes]) -> None:
        """Set the states of actors that have not handled a message yet."""
        for actor, state in states.items():
            self._set_state(actor, state)

    def retire(self, actor: int) -> None:
        """Fail what waits for an actor, and forget its state, at the latest when it is done."""
        for task in self._dispatcher.withdraw(lambda task: task.envelope.actor == actor):
            self._fail(task, "stopped", "the actor was retired")
            self._finish(task.batch)
        self.states.pop(actor, None)
        if self._dispatcher.mailboxes.is_busy(actor):
            self._retired.add(actor)

    def release(self, content: Broadcast) -> None:
        """Forget a content that no message will name again."""
        self._dispatcher.forget_content(content.number)
        content.close()

    def _set_state(self, actor: int, state: bytes) -> None:
        if state:
            self.states[actor] = state
        else:
            self.states.pop(actor, None)

    def _fail(self, task: Task, cause: str, reason: str, trace: str = "") -> None:
        self._journal.note("failed", message=task.number, cause=cause, reason=reason[:500])
        result: Result = Failure(task.envelope.actor, cause, reason, trace)
        task.batch.settle(task.index, result)

    def _finish(self, batch: Batch) -> None:
        if batch.done:
            self._batches.discard(batch)
            self._journal.flush()

    def _grow_pool(self, batch: Batch) -> None:
        largest = max((envelope.reply_bytes for envelope in batch.envelopes), default=0)
        if largest and not (self._pool and self._pool.slot_bytes >= largest):
            self._pool = SlotPool.create(largest, POOL_BUDGET) or self._pool


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
