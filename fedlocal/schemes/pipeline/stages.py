"""The actors of a pipeline, loaders and those that make the passes: what runs in the workers.

An actor decides nothing: its message says which step to make. It writes only to memory that its message
names, and never to what it reads, so that a message can be handled again from its start.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import Outcome, SharedArray, Wire
from fedlocal.data import Shards
from fedlocal.models import MLP, Buffers, Gather, Passes
from fedlocal.models.training_run import NewModel

Array = NDArray[Any]


@dataclass(frozen=True)
class PipelineMemory:
    """What the coordinator shares with the actors.

    Parameters
    ----------
    new_model : callable
        Makes the model.
    stages : tuple of range
        The layers of each stage; empty where the passes are not made apart.
    shards : Shards
        One slice: all rows.
    batch_size : int
        Rows of a batch.
    order : SharedArray
        int64[rows]: the order of this epoch.
    parameters : SharedArray
        float32[size]: the network, which the coordinator updates when no pass is made.
    slots : SharedArray
        float32[credits, at least one batch]: of each batch under way, its features and what the passes fill.
    targets : SharedArray
        [credits, batch_size, …]: its targets.
    sums : SharedArray
        float32[buffers, at least size]: gradients.
    """

    new_model: NewModel
    stages: tuple[range, ...]
    shards: Shards
    batch_size: int
    order: SharedArray
    parameters: SharedArray
    slots: SharedArray
    targets: SharedArray
    sums: SharedArray

    def close(self) -> None:
        """Give all shared memory back."""
        self.shards.close()
        for shared in (self.order, self.parameters, self.slots, self.targets, self.sums):
            shared.close()


class PipelineStages:
    """All actors of a pipeline, in one worker."""

    def __init__(self, memory: PipelineMemory) -> None:
        self._memory = memory
        self._model = memory.new_model()
        self._model.live_in(memory.parameters.array)
        rows = memory.shards.open(0)
        self._gather = Gather(rows.x, rows.y, memory.batch_size)
        self._inputs = rows.x.shape[1]

    def handle(self, actor: int, message: Wire, state: bytes) -> Outcome:  # noqa: ARG002
        """Make one step of one batch; the answer has its mean loss, where the step computes it."""
        step = json.loads(message.body)
        answer: dict[str, Any] = {}
        match step["task"]:
            case "load":
                self._load(step)
            case "forward":
                self._passes[step["stage"]].forward(self._buffers_of(step))
            case "backward":
                answer = self._backward(step)
            case "learn":
                answer = self._learn(step)
        return Wire(body=json.dumps(answer).encode()), b""

    def _load(self, step: dict[str, Any]) -> None:
        """Copy a batch's rows into its slot."""
        chosen = self._memory.order.array[step["start"] : step["stop"]]
        for x, y in self._gather.batches(chosen):
            np.copyto(self._features(step), x)
            np.copyto(self._targets(step), y)

    def _backward(self, step: dict[str, Any]) -> dict[str, Any]:
        """Make a stage's backward pass, and add up its part of the gradients."""
        passes, buffers, answer = self._passes[step["stage"]], self._buffers_of(step), {}
        if step["stage"] == len(self._passes) - 1:
            answer["loss"] = passes.lose(buffers, self._targets(step))
        gradient, *addends = (self._sum(index) for index in (step["buffer"], *step["add"]))
        passes.backward(buffers, gradient, step["weight"])
        _add(passes.part(gradient), [passes.part(addend) for addend in addends])
        return answer

    def _learn(self, step: dict[str, Any]) -> dict[str, Any]:
        """Make both passes through all layers, and add up the gradients."""
        gradient, *addends = (self._sum(index) for index in (step["buffer"], *step["add"]))
        loss = self._model.gradient(self._features(step), self._targets(step), gradient, step["weight"])
        _add(gradient, addends)
        return {"loss": loss}

    @cached_property
    def _network(self) -> MLP:
        """The model, which is an MLP wherever there are stages."""
        return cast(MLP, self._model)

    @cached_property
    def _passes(self) -> list[Passes]:
        return [Passes(self._network, layers) for layers in self._memory.stages]

    @cached_property
    def _buffers(self) -> list[Buffers]:
        network, size = self._network.network, self._memory.batch_size
        return [network.buffers_in(slot, size) for slot in self._memory.slots.array]

    def _buffers_of(self, step: dict[str, Any]) -> Buffers:
        """Return what the passes of a batch fill."""
        buffers, rows = self._buffers[int(step["slot"])], int(step["rows"])
        return buffers if rows == buffers.rows else buffers.first(rows)

    def _features(self, step: dict[str, Any]) -> Array:
        """Return the part of a batch's slot that holds its features, float32[rows, inputs]."""
        if self._memory.stages:
            return self._buffers_of(step).inputs[0][:, :-1]
        flat: Array = self._memory.slots.array[step["slot"], : step["rows"] * self._inputs]
        return flat.reshape(step["rows"], self._inputs)

    def _targets(self, step: dict[str, Any]) -> Array:
        targets: Array = self._memory.targets.array[step["slot"], : step["rows"]]
        return targets

    def _sum(self, index: int) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self._memory.sums.array[index, : self._model.size]
        return vector


@np.errstate(over="ignore", invalid="ignore")
def _add(gradient: NDArray[np.float32], addends: list[NDArray[np.float32]]) -> None:
    for addend in addends:
        np.add(addend, gradient, out=gradient)
