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
    last_worker: int | None = None


class Schedule(Generic[T]):
    """Mailboxes of many actors, from which idle workers pull.

    Per actor first in, first out, and one message in flight: an actor whose message was taken has no other
    to offer until it is `done`.
    """

    def __init__(self) -> None:
        self._mailboxes: dict[int, _Mailbox[T]] = {}
        self._costs: list[float] = []  # a heap of negated costs: the longest is on top
        self._ready: dict[float, dict[int | None, deque[int]]] = {}  # cost -> last worker -> actors

    def put(self, actor: int, cost: float, item: T) -> None:
        """Add a message to an actor's mailbox."""
        mailbox = self._mailboxes.setdefault(actor, _Mailbox())
        mailbox.waiting.append((cost, item))
        if not mailbox.busy and len(mailbox.waiting) == 1:
            self._offer(actor, mailbox)

    def take(self, worker: int) -> tuple[T, bool] | None:
        """Return the next message for an idle worker, and whether another worker ran its actor last.

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
        mailbox = self._mailboxes[actor]
        moved = mailbox.last_worker != worker
        mailbox.busy, mailbox.last_worker = True, worker
        return mailbox.waiting.popleft()[1], moved

    def done(self, actor: int, *, forget: bool = False) -> None:
        """Note that the actor's message in flight has its result; offer its next one.

        With `forget`, no worker counts as the one that last ran the actor.
        """
        mailbox = self._mailboxes[actor]
        mailbox.busy = False
        if forget:
            mailbox.last_worker = None
        if mailbox.waiting:
            self._offer(actor, mailbox)

    def remove(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Withdraw every waiting message for which `unwanted` holds."""
        removed: list[T] = []
        self._costs.clear()
        self._ready.clear()
        for actor, mailbox in self._mailboxes.items():
            removed += [item for _, item in mailbox.waiting if unwanted(item)]
            mailbox.waiting = deque(pair for pair in mailbox.waiting if not unwanted(pair[1]))
            if mailbox.waiting and not mailbox.busy:
                self._offer(actor, mailbox)
        return removed

    def _offer(self, actor: int, mailbox: _Mailbox[T]) -> None:
        cost = mailbox.waiting[0][0]
        if cost not in self._ready:
            self._ready[cost] = {}
            heapq.heappush(self._costs, -cost)
        self._ready[cost].setdefault(mailbox.last_worker, deque()).append(actor)
