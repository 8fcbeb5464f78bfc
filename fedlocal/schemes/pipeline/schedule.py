"""Which message of a pipeline may be sent when: the order of its mailboxes, and its credits.

Batches go through the steps of a pipeline one after another: loading, then each pass. A batch may be loaded
when there is a free slot for it, a credit, which it gives back when its last step is done. Its first pass
needs the parameters that it is to see, so it waits until the wave before it has made its update.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class EpochPlan:
    """How the rows of an epoch are cut up: into batches, of which a wave makes one update.

    The last batch and the last wave may be smaller. Each batch makes at least 2 steps, of which step 0 is
    loading; as many batches as there are slots, at least 1, may be under way.
    """

    rows: int
    batch_size: int
    wave: int
    steps: int
    slots: int

    @property
    def batches(self) -> int:
        """How many batches the epoch has."""
        return -(-self.rows // self.batch_size)

    def rows_of(self, batch: int) -> tuple[int, int]:
        """Return a batch's first row, and the end of its last."""
        start = batch * self.batch_size
        return start, min(start + self.batch_size, self.rows)

    def wave_of(self, batch: int) -> range:
        """Return the batches that make one update together with this batch."""
        first = batch // self.wave * self.wave
        return range(first, min(first + self.wave, self.batches))


class PipelineSchedule:
    """Where the batches of an epoch are; only those of the first wave may make more than step 0 at first.

    Attributes
    ----------
    open : int
        The first batch whose passes must wait for an update.
    """

    def __init__(self, plan: EpochPlan) -> None:
        self._plan, self.open = plan, plan.wave_of(0).stop
        self._next, self._done = [0] * plan.steps, [0] * plan.steps
        self._loaded: set[int] = set()

    @property
    def finished(self) -> int:
        """How many batches are through."""
        return self._done[-1]

    def updated(self) -> None:
        """Let the batches of the next wave go on."""
        self.open = self._plan.wave_of(self.open).stop

    def done(self, step: int, batch: int) -> None:
        """Note that a batch has made a step; only loading may be done in another order than it was begun."""
        self._done[step] += 1
        if step == 0:
            self._loaded.add(batch)

    def ready(self) -> Iterator[tuple[int, int]]:
        """Yield each step and the batch that may make it now, once; those of one step in order.

        What is done meanwhile counts.
        """
        for step in reversed(range(self._plan.steps)):
            while self._may(step, batch := self._next[step]):
                self._next[step] += 1
                yield step, batch

    def _may(self, step: int, batch: int) -> bool:
        if step == 0:
            return batch < min(self._plan.batches, self.finished + self._plan.slots)
        if step == 1:
            return batch < self.open and batch in self._loaded
        return batch < self._done[step - 1]


class Sum(NamedTuple):
    """The number of the buffer where a batch's gradient is written, and of those that are added to it there.

    The latter are only read, so that it can be done again.
    """

    buffer: int
    add: list[int]


class Sums:
    """The buffers of the gradients of a wave of batches, added up as `fedlocal.models.GradientTree` does."""

    def __init__(self, wave: int) -> None:
        self._free = list(range(buffers(wave)))
        self._nodes: list[tuple[int, int]] = []  # of each, its number of batches and its buffer

    def next(self, *, last: bool) -> Sum:
        """Return where the next gradient goes and what is added to it: all that is left, to a wave's last."""
        count, buffer, add = 1, self._free.pop(), list[int]()
        while self._nodes and (last or self._nodes[-1][0] == count):
            batches, left = self._nodes.pop()
            count += batches
            add.append(left)
        self._free += add
        if last:
            self._free.append(buffer)
        else:
            self._nodes.append((count, buffer))
        return Sum(buffer, add)


def buffers(wave: int) -> int:
    """Return how many buffers the sums of a wave of so many batches need."""
    return (wave - 1).bit_length() + 1
