"""Workers that follow the load: how many a system has, from one set of messages to the next.

Nobody's results depend on it. There are never more workers than messages to handle at the same time, and
where it is known what the cores do:

- where workers have work, and cores have none or actors wait for something else than a core, one worker more;
- where others want the cores, and workers have to wait for them, one worker less: this run then takes longer,
  and is less in the way of the others.
"""

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from fedlocal.actors.engine.cpu_usage import CpuUsage

logger = logging.getLogger(__name__)

PATIENCE = 10  # sets of messages for which a worker that nobody needed stays
ENOUGH = 0.5  # seconds of work after which the load is judged
FREE, TAKEN = 0.75, 0.6  # cores; apart, or half a core would make a worker come and go for ever
OCCUPIED = 0.5  # part of the time in which workers have work, at least, if there are to be more
ELSEWHERE = 0.5  # part of it in which they neither have a core nor wait for one, at least
WAITING = 0.1  # part of it in which they have no core, at least, if there are to be fewer


class Resizable(Protocol):
    """A system whose workers come and go."""

    workers: int

    def resize(self, workers: int) -> None:
        """Have this many workers from now on."""
        ...

    def processes(self) -> list[int]:
        """Return the numbers of the workers' processes."""
        ...


@dataclass(frozen=True)
class Utilisation:
    """What workers and cores did while messages were handled.

    Parameters
    ----------
    seconds : float
        How long that was.
    busy : float
        Worker-seconds in which a message was being handled.
    had, waited : float
        Of these, those with a core, and those in which it had to wait for one.
    idle, other_processes : float
        Core-seconds that nobody wanted, and that other processes had.
    """

    seconds: float = 0.0
    busy: float = 0.0
    had: float = 0.0
    waited: float = 0.0
    idle: float = 0.0
    other_processes: float = 0.0

    def __add__(self, other: "Utilisation") -> "Utilisation":
        return Utilisation(*(getattr(self, name) + getattr(other, name) for name in vars(self)))

    def advice(self, workers: int) -> tuple[int, str]:
        """Return by how many the number of workers should change, and why."""
        if self.seconds <= 0 or self.busy <= 0:
            return 0, ""
        free, taken = self.idle / self.seconds, self.other_processes / self.seconds
        if self.busy >= OCCUPIED * workers * self.seconds:
            if free >= FREE:
                return 1, f"{free:.1f} cores had nothing to do"
            if self.busy - self.had - self.waited >= ELSEWHERE * self.busy:
                return 1, "clients wait for something else than a core"
        if taken >= TAKEN and self.waited >= WAITING * self.busy:
            return -1, f"other processes took {taken:.1f} cores"
        return 0, ""


@dataclass
class Autoscaler:
    """Has a system's workers follow the load.

    Parameters
    ----------
    system : Resizable
        The system whose workers come and go.
    least, most : int
        How many workers there may be.
    give_way : bool
        Whether there may be fewer because other processes want the cores.
    """

    system: Resizable
    least: int
    most: int
    give_way: bool = True
    _messages: deque[int] = field(default_factory=lambda: deque(maxlen=PATIENCE), init=False)
    _utilisation: Utilisation = field(default_factory=Utilisation, init=False)
    _before: CpuUsage | None = field(default=None, init=False)

    def begin(self) -> None:
        """Note that messages are about to be sent."""
        self._before = CpuUsage.now(self.system.processes())

    def end(self, messages: int, seconds: float, busy: float) -> None:
        """Note that all messages have their results, and change the number of workers if that is called for.

        Parameters
        ----------
        messages : int
            How many messages there were.
        seconds : float
            Since `begin`.
        busy : float
            Worker-seconds in which a message was being handled.
        """
        self._messages.append(messages)
        after = CpuUsage.now(self.system.processes()) if self._before else None
        usage = after.since(self._before) if after and self._before else None
        if usage and usage.workers:
            had, waited = map(sum, zip(*usage.workers.values(), strict=True))
            elsewhere = max(0.0, usage.cores - usage.idle - usage.this_process - had)
            self._utilisation += Utilisation(seconds, busy, had, waited, usage.idle, elsewhere)
        self._decide()

    def _decide(self) -> None:
        workers, reason = self.system.workers, ""
        if self._utilisation.seconds >= ENOUGH:
            change, reason = self._utilisation.advice(workers)
            self._utilisation, workers = (
                Utilisation(),
                workers + (change if self.give_way else max(change, 0)),
            )
        if len(self._messages) == PATIENCE and workers > (needed := max(self._messages)):
            workers, reason = needed, f"no more than {needed} clients at a time"
        workers = min(max(workers, self.least), self.most)
        if workers != self.system.workers:
            logger.info("workers: %d, no longer %d: %s", workers, self.system.workers, reason)
            self.system.resize(workers)
            self._utilisation = Utilisation()
