"""Who gets which message when: idle workers first, and work in advance for those that would wait for it.

A worker that holds only the message it handles waits for its next one as long as a result and a message take
to travel: nothing beside a second of training, most of the time beside a tenth of a millisecond. So a worker
may hold more, but never what other workers could miss: as much work as waits in front of it must be left for
each of them (guided self-scheduling, Polychronopoulos & Kuck 1987, on top of longest first).
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Generic, TypeVar

from fedlocal.actors.batch import Task

AHEAD = 0.004  # seconds of work that a worker holds, as far as a few messages make them up
AT_LEAST = (
    2  # messages of known kind that a worker holds, however long they take, if the others can spare them
)
AT_MOST = 64

T = TypeVar("T")


@dataclass
class _Mailbox(Generic[T]):
    waiting: deque[tuple[float, T]] = field(default_factory=deque)
    busy: bool = False


class Mailboxes(Generic[T]):
    """Mailboxes of many actors, from which idle workers pull: the longest expected message first.

    Longest first keeps the last worker from starting a long message when the others are done (Graham 1969:
    the makespan is within 4/3 - 1/(3m) of the best). Among equals, the worker that last ran an actor has it
    again, since the actor's data may be in its caches yet.

    Per actor first in, first out, and one message in flight: an actor whose message was taken has no other to
    offer until that is finished.
    """

    def __init__(self) -> None:
        self.ready = 0  # messages that could be taken now, and what they cost together
        self.ready_cost = 0.0
        self._mailboxes: dict[int, _Mailbox[T]] = {}  # of actors that have messages
        self._last_workers: dict[int, int] = {}
        self._costs: list[float] = []  # a heap of negated costs: the longest is on top
        self._ready: dict[float, dict[int | None, deque[int]]] = {}  # cost -> last worker -> actors

    def put(self, actor: int, cost: float, item: T) -> None:
        """Add a message to an actor's mailbox."""
        mailbox = self._mailboxes.get(actor)
        if mailbox is None:
            mailbox = self._mailboxes[actor] = _Mailbox()
        mailbox.waiting.append((cost, item))
        if not mailbox.busy and len(mailbox.waiting) == 1:
            self._offer(actor, mailbox)

    @property
    def longest(self) -> float:
        """The cost of the message that is next; 0 if there is none."""
        return -self._costs[0] if self._costs else 0.0

    def peek(self) -> T:
        """Return a message that costs as much as the next one; there must be one."""
        actors = next(iter(self._ready[self.longest].values()))
        return self._mailboxes[actors[0]].waiting[0][1]

    def take(self, worker: int) -> tuple[T, bool] | None:
        """Return the next message for a worker, and whether another worker ran its actor last.

        None if there is nothing to do.
        """
        if not self._costs:
            return None
        cost = -self._costs[0]
        by_worker = self._ready[cost]
        if worker in by_worker:
            source: int | None = worker
        elif None in by_worker:
            source = None
        else:
            source = max(by_worker, key=lambda key: len(by_worker[key]))
        actor = by_worker[source].popleft()
        if not by_worker[source]:
            del by_worker[source]
        if not by_worker:
            del self._ready[cost]
            heapq.heappop(self._costs)
        self.ready -= 1
        self.ready_cost -= cost
        mailbox = self._mailboxes[actor]
        mailbox.busy = True
        moved = self._last_workers.get(actor) != worker
        self._last_workers[actor] = worker
        return mailbox.waiting.popleft()[1], moved

    def waiting(self, actor: int) -> int:
        """Return how many messages wait for an actor."""
        mailbox = self._mailboxes.get(actor)
        return len(mailbox.waiting) if mailbox else 0

    def is_busy(self, actor: int) -> bool:
        """Tell whether a message of an actor is in flight."""
        mailbox = self._mailboxes.get(actor)
        return mailbox is not None and mailbox.busy

    def move(self, actor: int, worker: int) -> None:
        """Note that another worker runs the actor now."""
        self._last_workers[actor] = worker

    def finish(self, actor: int, *, forget: bool = False) -> None:
        """Note that the actor's message in flight has its result; offer its next one.

        With `forget`, no worker counts as the one that last ran the actor.
        """
        mailbox = self._mailboxes[actor]
        mailbox.busy = False
        if forget:
            self._last_workers.pop(actor, None)
        if mailbox.waiting:
            self._offer(actor, mailbox)
        else:
            del self._mailboxes[actor]

    def remove(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Withdraw every waiting message for which `unwanted` holds."""
        removed: list[T] = []
        self._costs.clear()
        self._ready.clear()
        self.ready, self.ready_cost = 0, 0.0
        for actor, mailbox in list(self._mailboxes.items()):
            removed += [item for _, item in mailbox.waiting if unwanted(item)]
            mailbox.waiting = deque(pair for pair in mailbox.waiting if not unwanted(pair[1]))
            if not mailbox.busy:
                if mailbox.waiting:
                    self._offer(actor, mailbox)
                else:
                    del self._mailboxes[actor]
        return removed

    def _offer(self, actor: int, mailbox: _Mailbox[T]) -> None:
        cost = mailbox.waiting[0][0]
        self.ready += 1
        self.ready_cost += cost
        if cost not in self._ready:
            self._ready[cost] = {}
            heapq.heappush(self._costs, -cost)
        self._ready[cost].setdefault(self._last_workers.get(actor), deque()).append(actor)


@dataclass
class _Pace:
    seconds: float = 0.0
    units: float = 0.0


@dataclass
class _Load:
    messages: int = 0
    units: float = 0.0
    alone: bool = False  # no other message beside the one that it holds


@dataclass
class Dispatcher:
    """The mailboxes, what each worker holds of them, and how long a unit of cost has taken so far."""

    mailboxes: Mailboxes[Task] = field(default_factory=Mailboxes)
    _returned: deque[tuple[Task, bool]] = field(default_factory=deque)  # whose workers died; first in line
    _loads: dict[int, _Load] = field(default_factory=dict)
    _paces: dict[int, _Pace] = field(default_factory=dict)  # by content: equal content, equal kind of work

    @property
    def waiting(self) -> bool:
        """Whether any message could be taken now."""
        return bool(self.mailboxes.ready or self._returned)

    def put(self, task: Task) -> None:
        """Add a message to its actor's mailbox."""
        self.mailboxes.put(task.envelope.actor, task.units, task)

    def put_back(self, task: Task, *, alone: bool) -> None:
        """Return a message to the head of its mailbox.

        With `alone`, the worker that takes it next will hold no other: what it does is its own doing.
        """
        self._returned.append((task, alone))

    def recall(self, worker: int, task: Task) -> None:
        """Return a message that a worker did not get to, for another one."""
        load = self._loads[worker]
        load.messages -= 1
        load.units -= task.units
        self.put_back(task, alone=False)

    def assign(self, workers: Sequence[int]) -> dict[int, list[tuple[Task, bool]]]:
        """Return the new messages of each worker, in order, with whether their actors last ran elsewhere."""
        given: dict[int, list[tuple[Task, bool]]] = {}
        loads = {worker: self._loads.setdefault(worker, _Load()) for worker in workers}
        for worker, load in loads.items():
            if not load.messages:
                self._take(worker, load, given)
        if self._returned:
            return given  # nobody works ahead while these wait
        hungry = {worker: load for worker, load in loads.items() if load.messages and not load.alone}
        while hungry and self.mailboxes.ready:
            hungry = {
                worker: load
                for worker, load in hungry.items()
                if self._spares(load, len(workers) - 1) and self._take(worker, load, given)
            }
        return given

    def finish(self, worker: int, task: Task, seconds: float | None = None, *, forget: bool = False) -> None:
        """Note that a message has its result, and its seconds if it was handled well; offer the next one.

        With `forget`, no worker counts as the one that last ran the actor.
        """
        load = self._loads[worker]
        load.messages -= 1
        load.units -= task.units
        load.alone = False
        if seconds is not None:
            pace = self._paces.setdefault(task.kind, _Pace())
            pace.seconds += seconds
            pace.units += task.units
        self.mailboxes.finish(task.envelope.actor, forget=forget)

    def drop(self, task: Task) -> None:
        """Note that a message whose worker died has its result all the same."""
        self.mailboxes.finish(task.envelope.actor, forget=True)

    def withdraw(self, unwanted: Callable[[Task], bool]) -> list[Task]:
        """Take out every waiting message for which `unwanted` holds."""
        removed = self.mailboxes.remove(unwanted)
        kept: deque[tuple[Task, bool]] = deque()
        for task, alone in self._returned:
            if unwanted(task):
                removed.append(task)
                self.drop(task)
            else:
                kept.append((task, alone))
        self._returned = kept
        return removed

    def forget_worker(self, worker: int) -> None:
        """Forget what a worker held."""
        self._loads.pop(worker, None)

    def expected(self, worker: int, task: Task) -> float:
        """Return the seconds that all this worker holds should take, if it is of one kind; inf if unknown."""
        pace = self._paces.get(task.kind)
        return self._loads[worker].units * pace.seconds / pace.units if pace and pace.units else inf

    def forget_content(self, content: int) -> None:
        """Forget how long messages with this content took."""
        self._paces.pop(content, None)

    def _spares(self, load: _Load, other_workers: int) -> bool:
        """Tell whether this worker may hold the next message too."""
        mailboxes = self.mailboxes
        cost = mailboxes.longest
        in_front = load.units * (1 - 1 / load.messages)  # behind the one that it handles
        if mailboxes.ready - 1 < other_workers or mailboxes.ready_cost - cost < other_workers * (
            in_front + cost
        ):
            return False
        following = mailboxes.peek()
        if load.messages < AT_LEAST and following.kind:
            return True
        pace = self._paces.get(following.kind)
        if load.messages >= AT_MOST or pace is None or not pace.units:
            return False
        return (load.units + cost) * pace.seconds / pace.units < AHEAD

    def _take(self, worker: int, load: _Load, given: dict[int, list[tuple[Task, bool]]]) -> bool:
        taken = self._take_returned(worker, load) if self._returned else self.mailboxes.take(worker)
        if taken is None:
            return False
        load.messages += 1
        load.units += taken[0].units
        given.setdefault(worker, []).append(taken)
        return True

    def _take_returned(self, worker: int, load: _Load) -> tuple[Task, bool]:
        task, load.alone = self._returned.popleft()
        self.mailboxes.move(task.envelope.actor, worker)
        return task, True
