"""How the coordinator of the batch queue has waves computed: in shared memory, or by copied messages."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import Behaviour, Envelope, Reply, SharedArray
from fedlocal.data import Partition, Rows, Shards
from fedlocal.models import GradientTree, Model, Node
from fedlocal.models.training_run import NewModel
from fedlocal.schemes.batch_parallel.processors import (
    HEAD,
    CopyingProcessors,
    GradientProcessors,
    QueueMemory,
    StepProcessors,
    load,
    state_bytes,
    store,
)

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


class Exchange(Protocol):
    """Has waves computed, and updates the model.

    Attributes
    ----------
    start : callable
        Builds the processors' behaviour; it pickles as a process starts.
    """

    start: Callable[[], Behaviour]

    def begin_round(self) -> None:
        """Let the processors have the model's state, where they do not share it already."""

    def begin_epoch(self, order: NDArray[np.int64]) -> None:
        """Let the processors have the order of the rows."""
        ...

    def envelopes(self, start: int, stop: int) -> list[Envelope]:
        """Return the messages of the wave of these rows."""
        ...

    def update(self, replies: Sequence[Reply], answers: Sequence[dict[str, Any]]) -> None:
        """Update the model."""
        ...

    def end_round(self) -> None:
        """Bring the model to its new state, where that is kept elsewhere."""

    def close(self) -> None:
        """Give memory back, if any is shared."""


class SharedGradients(Exchange):
    """Weights and gradients stay in shared memory; each message is a worker's share of a wave."""

    def __init__(self, queue: Queue, model: Model, rows: Rows, new_model: NewModel) -> None:
        self._queue, self._model = queue, model
        parameters = SharedArray((model.size,), np.float32)
        move(model, parameters.array)
        sums = SharedArray((queue.shares, queue.buffers, rounded(model.size, LINE)), np.float32)
        self._memory = _memory(queue, rows, new_model, parameters, sums)
        self._buffers = [self._memory.buffers(share, model.size) for share in range(queue.shares)]
        self.start = partial(GradientProcessors, self._memory)

    def begin_epoch(self, order: NDArray[np.int64]) -> None:
        """Write the order."""
        self._memory.order.array[:] = order

    def envelopes(self, start: int, stop: int) -> list[Envelope]:
        """Divide a wave among the workers."""
        messages = []
        for share, batches in enumerate(self._queue.shared_out(self._queue.batches(start, stop))):
            body = {"share": share, "samples": stop - start, "batches": batches}
            (actor, _, begin, _), (*_, end) = batches[0], batches[-1]
            messages.append(Envelope(actor, json.dumps(body).encode(), cost=end - begin))
        return messages

    def update(self, replies: Sequence[Reply], answers: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Add up the shares' sums, and apply the mean gradient."""
        tree = GradientTree(self._model.size)
        for answer in answers:
            for first, count, index in answer["nodes"]:
                tree.add(Node(first, count, self._buffers[answer["share"]][index]))
        self._model.apply(tree.root())

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()


class SharedSteps(Exchange):
    """The processor that holds the batch makes the update; shared memory holds the model before and after."""

    def __init__(self, queue: Queue, model: Model, rows: Rows, new_model: NewModel) -> None:
        self._queue, self._model, self._before = queue, model, 0
        versions = SharedArray((2, state_bytes(model)), np.uint8)
        self._memory = _memory(queue, rows, new_model, versions)
        self.start = partial(StepProcessors, self._memory)

    def begin_round(self) -> None:
        """Write the model down."""
        store(self._model, self._memory.parameters.array[self._before])

    def begin_epoch(self, order: NDArray[np.int64]) -> None:
        """Write the order."""
        self._memory.order.array[:] = order

    def envelopes(self, start: int, stop: int) -> list[Envelope]:
        """Give the batch to the processor whose turn it is."""
        body = {"before": self._before, "start": start, "stop": stop}
        actor = start // self._queue.batch_size % self._queue.actors
        return [Envelope(actor, json.dumps(body).encode(), cost=stop - start)]

    def update(self, replies: Sequence[Reply], answers: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Take the processor's new state for the current one."""
        self._before = 1 - self._before

    def end_round(self) -> None:
        """Read the model."""
        load(self._model, self._memory.parameters.array[self._before])

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()


class CopiedMessages(Exchange):
    """The literal variant: each batch is a message with the network and the rows, answered by a gradient."""

    def __init__(self, queue: Queue, model: Model, rows: Rows, new_model: NewModel) -> None:
        self._queue, self._model, self._rows = queue, model, rows
        self._vector = np.empty(model.size, np.float32)
        move(model, self._vector)
        self.start = partial(CopyingProcessors, new_model, rows.x.shape[1], rows.y[:0])

    def begin_epoch(self, order: NDArray[np.int64]) -> None:
        """Keep the order."""
        self._order = order

    def envelopes(self, start: int, stop: int) -> list[Envelope]:
        """Write one message per batch."""
        parameters, size = self._vector.tobytes(), self._queue.batch_size
        return [
            self._envelope(actor, self._order[first : min(first + size, end)], stop - start, parameters)
            for actor, _, begin, end in self._queue.batches(start, stop)
            for first in range(begin, end, size)
        ]

    def _envelope(self, actor: int, chosen: NDArray[np.int64], samples: int, parameters: bytes) -> Envelope:
        head = HEAD.pack(len(chosen), len(chosen) / samples)
        x, y = self._rows.x[chosen].tobytes(), self._rows.y[chosen].tobytes()
        return Envelope(actor, b"".join([head, parameters, x, y]), cost=len(chosen))

    def update(self, replies: Sequence[Reply], answers: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Add up the gradients, and apply their mean."""
        tree = GradientTree(self._model.size)
        for leaf, reply in enumerate(replies):
            (gradient,) = reply.wire.arrays
            tree.add(Node(leaf, 1, np.frombuffer(gradient, np.float32).copy()))
        self._model.apply(tree.root())


def move(model: Model, memory: NDArray[np.float32]) -> None:
    """Have a model live in memory, float32[size], with the parameters that it has."""
    before = {name: array.copy() for name, array in model.arrays.items()}
    model.live_in(memory)
    model.load(before)


def rounded(size: int, line: int) -> int:
    """Round a size up to a multiple."""
    return -(-size // line) * line


def _memory(
    queue: Queue,
    rows: Rows,
    new_model: NewModel,
    parameters: SharedArray,
    sums: SharedArray | None = None,
) -> QueueMemory:
    all_rows = Partition(np.arange(len(rows)), np.array([0, len(rows)]))
    order = SharedArray((len(rows),), np.int64)
    return QueueMemory(new_model, Shards.create(rows, all_rows), queue.batch_size, order, parameters, sums)
