"""The coordinator of the batch queue: how an epoch is cut into waves, and what becomes of each."""

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import Envelope, Reply, SharedArray, System
from fedlocal.data import Partition, Shards
from fedlocal.models import GradientTree, Model, Node
from fedlocal.schemes.base import Setting
from fedlocal.schemes.batch_parallel.processors import (
    GradientProcessors,
    QueueMemory,
    StepProcessors,
    load,
    state_bytes,
    store,
)
from fedlocal.schemes.coordinator import CoordinatedActors, checked
from fedlocal.schemes.round_timer import RoundTimer

LINE = 16  # float32 of a cache line

Batches = tuple[int, int, int, int]
"""What an actor handles: its number, its first batch in the wave, its first row and the end of its last."""


@dataclass(frozen=True)
class Queue:
    """The work of an epoch: waves of batches for the processors.

    Parameters
    ----------
    rows, batch_size : int
        Rows of an epoch, and of a batch; the last batch may have fewer.
    accumulate : int
        Batches of a wave; the last wave may have fewer.
    actors, workers : int
        Processors, and how many of them can work at the same time.
    """

    rows: int
    batch_size: int
    accumulate: int
    actors: int
    workers: int

    @property
    def shares(self) -> int:
        """Messages of a wave."""
        return min(self.actors, self.workers, self.accumulate)

    @property
    def buffers(self) -> int:
        """The most vectors that a share needs for its sums at the same time."""
        batches = -(-self.actors // self.shares) * -(-self.accumulate // self.actors)
        return 2 * (batches + 1).bit_length() + 1

    def waves(self) -> Iterator[tuple[int, int]]:
        """Yield the first row of each wave, and the end of its last."""
        step = self.accumulate * self.batch_size
        return ((start, min(start + step, self.rows)) for start in range(0, self.rows, step))

    def batches(self, start: int, stop: int) -> list[Batches]:
        """Cut a wave into what each actor handles, as many batches as the others give or take one."""
        count = -(-(stop - start) // self.batch_size)
        firsts = [actor * count // self.actors for actor in range(self.actors + 1)]
        return [
            (actor, first, start + first * self.batch_size, min(start + end * self.batch_size, stop))
            for actor, (first, end) in enumerate(pairwise(firsts))
            if first < end
        ]

    def shared_out(self, batches: list[Batches]) -> list[list[Batches]]:
        """Divide a wave among the workers, as many actors each as the others give or take one."""
        shares = min(self.shares, len(batches))
        cuts = [share * len(batches) // shares for share in range(shares + 1)]
        return [batches[first:end] for first, end in pairwise(cuts)]


class WaveCoordinator(CoordinatedActors):
    """Has the queue's waves computed one after another; each makes one update.

    Its heirs say how the processors get their batches and what they compute, and set ``start``.

    Attributes
    ----------
    queue : Queue
        The work of an epoch.
    order : NDArray of int64 [rows]
        The order of the rows in this epoch.
    """

    order: NDArray[np.int64]

    def __init__(self, setting: Setting) -> None:
        training, actors = setting.training, len(setting.partition)
        self.data, self.model = setting.training_rows(), setting.new_model()
        self.rows, self.workers = len(self.data), min(setting.workers, actors)
        self.queue = Queue(self.rows, training.batch_size, training.accumulate, actors, self.workers)
        self._timeout = setting.round_timeout

    @abstractmethod
    def envelopes(self, start: int, stop: int) -> list[Envelope]:
        """Return the messages of the wave of these rows."""

    @abstractmethod
    def update(self, replies: Sequence[Reply], answers: Sequence[Mapping[str, Any]]) -> None:
        """Update the model from the replies, and their bodies as read from JSON."""

    def epoch(self, order: NDArray[np.int64], system: System, timer: RoundTimer) -> float:
        """Make one update per wave."""
        self.order[:] = order
        return sum(loss for wave in self.queue.waves() for loss in self._wave(wave, system, timer))

    def _wave(self, rows: tuple[int, int], system: System, timer: RoundTimer) -> list[float]:
        """Make one update; return each batch's loss, summed over its rows."""
        replies = [checked(result) for result in system.ask(self.envelopes(*rows), self._timeout)]
        answers = [json.loads(reply.wire.body) for reply in replies]
        timer.collected(replies)
        self.update(replies, answers)
        timer.lap("aggregation")
        all_losses = []
        for reply, answer in zip(replies, answers, strict=True):
            for actor, samples, losses, started, ended in answer["work"]:
                timer.note(reply.worker, actor, samples, losses, started, ended)
                all_losses += losses
        return all_losses


class _SharedMemory(WaveCoordinator):
    """Rows, their order and the model lie in memory that processors share."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        parameters, sums = self._arrays()
        shards = Shards.create(self.data, Partition(np.arange(self.rows), np.array([0, self.rows])))
        order = SharedArray((self.rows,), np.int64)
        self.memory = QueueMemory(setting.new_model, shards, self.queue.batch_size, order, parameters, sums)
        self.order = order.array

    @abstractmethod
    def _arrays(self) -> tuple[SharedArray, SharedArray | None]:
        """Return the memory of the model, and that of sums if there are any."""

    def close(self) -> None:
        """Give the memory back."""
        self.memory.close()


class SharedGradients(_SharedMemory):
    """Weights and gradients stay in shared memory; each message is a worker's share of a wave."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.start = partial(GradientProcessors, self.memory)
        self._buffers = [self.memory.buffers(at, self.model.size) for at in range(self.queue.shares)]

    def _arrays(self) -> tuple[SharedArray, SharedArray]:
        parameters = SharedArray((self.model.size,), np.float32)
        move(self.model, parameters.array)
        size = rounded(self.model.size, LINE)
        return parameters, SharedArray((self.queue.shares, self.queue.buffers, size), np.float32)

    def envelopes(self, start: int, stop: int) -> list[Envelope]:
        """Divide a wave among the workers."""
        messages = []
        for share, batches in enumerate(self.queue.shared_out(self.queue.batches(start, stop))):
            body = {"share": share, "samples": stop - start, "batches": batches}
            (actor, _, begin, _), (*_, end) = batches[0], batches[-1]
            messages.append(Envelope(actor, json.dumps(body).encode(), cost=end - begin))
        return messages

    def update(self, replies: Sequence[Reply], answers: Sequence[Mapping[str, Any]]) -> None:  # noqa: ARG002
        """Add up the shares' sums, and apply the mean gradient."""
        tree = GradientTree(self.model.size)
        for answer in answers:
            for first, count, index in answer["nodes"]:
                tree.add(Node(first, count, self._buffers[answer["share"]][index]))
        self.model.apply(tree.root())


class SharedSteps(_SharedMemory):
    """The processor that holds the batch makes the update; shared memory holds the model before and after."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.start, self._before = partial(StepProcessors, self.memory), 0

    def _arrays(self) -> tuple[SharedArray, None]:
        return SharedArray((2, state_bytes(self.model)), np.uint8), None

    def begin_round(self) -> None:
        """Write the model down."""
        store(self.model, self.memory.parameters.array[self._before])

    def envelopes(self, start: int, stop: int) -> list[Envelope]:
        """Give the batch to the processor whose turn it is."""
        body = {"before": self._before, "start": start, "stop": stop}
        actor = start // self.queue.batch_size % self.queue.actors
        return [Envelope(actor, json.dumps(body).encode(), cost=stop - start)]

    def update(self, replies: Sequence[Reply], answers: Sequence[Mapping[str, Any]]) -> None:  # noqa: ARG002
        """Take the processor's new state for the current one."""
        self._before = 1 - self._before

    def end_round(self) -> None:
        """Read the model."""
        load(self.model, self.memory.parameters.array[self._before])


def move(model: Model, memory: NDArray[np.float32]) -> None:
    """Have a model live in memory, float32[size], with the parameters that it has."""
    before = {name: array.copy() for name, array in model.arrays.items()}
    model.live_in(memory)
    model.load(before)


def rounded(size: int, line: int) -> int:
    """Round a size up to a multiple."""
    return -(-size // line) * line
