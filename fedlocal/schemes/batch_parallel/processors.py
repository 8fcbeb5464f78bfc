"""The processors of the batch queue: what runs in the workers, and what they share with the coordinator.

A processor computes, and decides nothing: which batches it handles stands in its message. It writes only to
memory that its message names, and nothing else is read from there before it has replied.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import Outcome, SharedArray, Wire
from fedlocal.data import Shards
from fedlocal.models import Gather, GradientTree, Model, add_gradients
from fedlocal.models.training_run import NewModel


@dataclass(frozen=True)
class QueueMemory:
    """What the coordinator shares with the processors.

    Parameters
    ----------
    new_model : callable
        Makes the model.
    shards : Shards
        One slice: all rows.
    batch_size : int
        Rows of a batch.
    order : SharedArray
        int64[rows]: the order of this epoch, which the coordinator writes before it.
    parameters : SharedArray
        float32[size]: the network, which the coordinator updates when no processor works. Where a processor
        makes the updates, uint8[2, bytes]: the model and its optimiser before and after.
    sums : SharedArray, optional
        float32[shares, buffers, at least size]: of each share of a wave, the buffers for its gradients.
    """

    new_model: NewModel
    shards: Shards
    batch_size: int
    order: SharedArray
    parameters: SharedArray
    sums: SharedArray | None

    def gather(self) -> Gather:
        """Return what gathers batches of the rows."""
        rows = self.shards.open(0)
        return Gather(rows.x, rows.y, self.batch_size)

    def buffers(self, share: int, size: int) -> list[NDArray[np.float32]]:
        """Return the buffers of a share, each float32[size]."""
        return [buffer[:size] for buffer in self.sums.array[share]] if self.sums else []

    def close(self) -> None:
        """Give all shared memory back."""
        self.shards.close()
        for shared in (self.order, self.parameters, self.sums):
            if shared:
                shared.close()


class GradientProcessors:
    """Processors that compute gradients and add up those of their own batches."""

    def __init__(self, memory: QueueMemory) -> None:
        self._memory, self._gather = memory, memory.gather()
        self._model = memory.new_model()
        self._model.live_in(memory.parameters.array)

    def handle(self, actor: int, message: Wire, state: bytes) -> Outcome:  # noqa: ARG002
        """Compute a share of a wave; the answer says which buffer holds which sum."""
        share = json.loads(message.body)
        buffers = self._memory.buffers(share["share"], self._model.size)
        tree, work = GradientTree(self._model.size, buffers), []
        for processor, first, start, stop in share["batches"]:
            started, order = time.perf_counter(), self._memory.order.array[start:stop]
            losses = list(
                add_gradients(self._model, self._gather, order, tree, samples=share["samples"], first=first)
            )
            work.append([processor, stop - start, losses, started, time.perf_counter()])
        numbers = {id(buffer): number for number, buffer in enumerate(buffers)}
        nodes = [[node.first, node.count, numbers[id(node.vector)]] for node in tree.nodes]
        answer = {"work": work, "share": share["share"], "nodes": nodes}
        return Wire(body=json.dumps(answer).encode()), b""


class StepProcessors:
    """Processors that make an update themselves from the one batch that they hold."""

    def __init__(self, memory: QueueMemory) -> None:
        self._memory, self._gather = memory, memory.gather()
        self._model = memory.new_model()

    def handle(self, actor: int, message: Wire, state: bytes) -> Outcome:  # noqa: ARG002
        """Train on a batch; the new parameters lie beside the old ones."""
        step = json.loads(message.body)
        started, before = time.perf_counter(), step["before"]
        versions = self._memory.parameters.array
        load(self._model, versions[before])
        order = self._memory.order.array[step["start"] : step["stop"]]
        losses = [self._model.train_step(x, y) * len(y) for x, y in self._gather.batches(order)]
        store(self._model, versions[1 - before])
        work = [[actor, len(order), losses, started, time.perf_counter()]]
        return Wire(body=json.dumps({"work": work}).encode()), b""


def state_bytes(model: Model) -> int:
    """Bytes that :func:`store` writes."""
    return sum(array.nbytes for array in _state(model))


def store(model: Model, memory: NDArray[np.uint8]) -> None:
    """Write the parameters and the optimiser's state, one array after another."""
    for array, region in _regions(model, memory):
        np.copyto(region, array)


def load(model: Model, memory: NDArray[np.uint8]) -> None:
    """Read what :func:`store` wrote; an optimiser that does not tell its state starts anew."""
    if not model.optimizer_arrays:
        model.load_optimizer(None)
    for array, region in _regions(model, memory):
        np.copyto(array, region)


def _state(model: Model) -> list[NDArray[Any]]:
    return [*model.arrays.values(), *model.optimizer_arrays.values()]


def _regions(model: Model, memory: NDArray[np.uint8]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield each array of a model's state, and the region of memory that is its own."""
    start = 0
    for array in _state(model):
        region = memory[start : start + array.nbytes]
        yield array, region.view(array.dtype).reshape(array.shape)
        start += array.nbytes
