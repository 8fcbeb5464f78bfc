"""The order of work: longest expected message first; the worker that last ran an actor breaks ties.

Longest first keeps the last worker from starting a long message when the others are done (Graham 1969: the
makespan is within 4/3 - 1/(3m) of the best). The tie-break keeps an actor's data in one worker's caches.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Mailbox(Generic[T]):
    waiting: deque[tuple[float, T]] = field(default_factory=deque)
    busy: bool = False


class Schedule(Generic[T]):
    """Mailboxes of many actors, from which idle workers pull.

    Per actor first in, first out, and one message in flight: an actor whose message was taken has no other
    to offer until it is `done`.
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

    def moved(self, actor: int, worker: int) -> None:
        """Note that another worker runs the actor now."""
        self._last_workers[actor] = worker

    def done(self, actor: int, *, forget: bool = False) -> None:
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
