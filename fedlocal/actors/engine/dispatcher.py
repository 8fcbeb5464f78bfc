"""Who gets which message when: idle workers first, and work in advance for those that would wait for it.

A worker that holds only the message it handles waits for its next one as long as a result and a message take
to travel: nothing beside a second of training, most of the time beside a tenth of a millisecond. So a worker
may hold more, but never what others could miss: as much work as waits in front of it must be left for each
of them (guided self-scheduling, Polychronopoulos & Kuck 1987, on top of longest first).
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from fedlocal.actors.batch import Task
from fedlocal.actors.schedule import Schedule

AHEAD = 0.004  # seconds of work that a worker holds, as far as a few messages make them up
AT_LEAST = 2  # messages of known kind that a worker holds, however long they take, if others spare them
AT_MOST = 64


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

    schedule: Schedule[Task] = field(default_factory=Schedule)
    _returned: deque[tuple[Task, bool]] = field(default_factory=deque)  # whose workers died; first in line
    _loads: dict[int, _Load] = field(default_factory=dict)
    _paces: dict[int, _Pace] = field(default_factory=dict)  # by content: equal content, equal kind of work

    @property
    def waiting(self) -> bool:
        """Whether any message could be taken now."""
        return bool(self.schedule.ready or self._returned)

    def put(self, task: Task) -> None:
        """Add a message to its actor's mailbox."""
        self.schedule.put(task.envelope.actor, _units(task.envelope.cost), task)

    def put_back(self, task: Task, *, alone: bool) -> None:
        """Return a message to the head of its mailbox.

        With `alone`, the worker that takes it next will hold no other: what it does is its own doing.
        """
        self._returned.append((task, alone))

    def recall(self, worker: int, task: Task) -> None:
        """Return a message that a worker did not get to, for another one."""
        load = self._loads[worker]
        load.messages -= 1
        load.units -= _units(task.envelope.cost)
        self.put_back(task, alone=False)

    def assign(self, workers: Sequence[int]) -> dict[int, list[tuple[Task, bool]]]:
        """Take messages for workers.

        Returns
        -------
        dict of int to list of (Task, bool)
            Per worker, its new messages in order, each with whether its actor last ran elsewhere.
        """
        given: dict[int, list[tuple[Task, bool]]] = {}
        loads = {worker: self._loads.setdefault(worker, _Load()) for worker in workers}
        for worker, load in loads.items():
            if not load.messages:
                self._take(worker, load, given)
        if self._returned:
            return given  # nobody works ahead while these wait
        hungry = {worker: load for worker, load in loads.items() if load.messages and not load.alone}
        while hungry and self.schedule.ready:
            hungry = {
                worker: load
                for worker, load in hungry.items()
                if self._spares(load, len(workers) - 1) and self._take(worker, load, given)
            }
        return given

    def done(self, worker: int, task: Task, seconds: float | None = None, *, forget: bool = False) -> None:
        """Note that a message has its result; offer its actor's next one.

        Parameters
        ----------
        worker : int
            Who held it.
        task : Task
            The message.
        seconds : float, optional
            How long it took, if it was handled as it should.
        forget : bool
            Whether no worker counts as the one that last ran the actor.
        """
        load, units = self._loads[worker], _units(task.envelope.cost)
        load.messages -= 1
        load.units -= units
        load.alone = False
        if seconds is not None:
            pace = self._paces.setdefault(_kind(task), _Pace())
            pace.seconds += seconds
            pace.units += units
        self.schedule.done(task.envelope.actor, forget=forget)

    def drop(self, task: Task) -> None:
        """Note that a message which a worker took with it has its result all the same."""
        self.schedule.done(task.envelope.actor, forget=True)

    def withdraw(self, unwanted: Callable[[Task], bool]) -> list[Task]:
        """Take out every waiting message for which `unwanted` holds."""
        removed = self.schedule.remove(unwanted)
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
        pace = self._paces.get(_kind(task))
        return self._loads[worker].units * pace.seconds / pace.units if pace and pace.units else inf

    def forget_content(self, content: int) -> None:
        """Forget how long messages with this content took."""
        self._paces.pop(content, None)

    def _spares(self, load: _Load, others: int) -> bool:
        """Tell whether this worker may hold the next message too."""
        waiting = self.schedule
        cost = waiting.longest
        in_front = load.units * (1 - 1 / load.messages)  # behind the one that it handles
        if waiting.ready - 1 < others or waiting.ready_cost - cost < others * (in_front + cost):
            return False
        following = waiting.peek()
        if load.messages < AT_LEAST and _kind(following):
            return True
        pace = self._paces.get(_kind(following))
        if load.messages >= AT_MOST or pace is None or not pace.units:
            return False
        return (load.units + cost) * pace.seconds / pace.units < AHEAD

    def _take(self, worker: int, load: _Load, given: dict[int, list[tuple[Task, bool]]]) -> bool:
        taken = self._take_returned(worker, load) if self._returned else self.schedule.take(worker)
        if taken is None:
            return False
        load.messages += 1
        load.units += _units(taken[0].envelope.cost)
        given.setdefault(worker, []).append(taken)
        return True

    def _take_returned(self, worker: int, load: _Load) -> tuple[Task, bool]:
        task, load.alone = self._returned.popleft()
        self.schedule.moved(task.envelope.actor, worker)
        return task, True


def _units(cost: float) -> float:
    return cost or 1.0  # messages of unknown cost count as equal


def _kind(task: Task) -> int:
    """Return what messages of about equal work have in common; 0 if nothing is known of it."""
    content = task.envelope.content
    return content.number if content else 0
