"""The batch queue as the paper has it: network and rows come in each message, and a gradient goes back.

In a checkout, ``scheme=batch_parallel scheme._target_=experiments.figure1.copied_messages.copied_messages``
runs it. The bits are those of the package's own queue, which shares memory instead.
"""

import json
import struct
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import Envelope, Outcome, Reply, Wire
from fedlocal.config.schema import ConfigError
from fedlocal.models import GradientTree, Node
from fedlocal.models.training_run import NewModel
from fedlocal.results import Checkpoint
from fedlocal.schemes.base import WITHOUT_CLIENTS, OnRound, Setting, Trained
from fedlocal.schemes.batch_parallel.waves import WaveCoordinator, move
from fedlocal.schemes.coordinator import coordinate

HEAD = struct.Struct("<qd")  # of a message: its rows, and their weight


@WITHOUT_CLIENTS
def copied_messages(setting: Setting, on_round: OnRound, start: Checkpoint | None = None) -> Trained:
    """Train as `fedlocal.schemes.BatchParallel` does, with copies in place of shared memory.

    With ``accumulate=1`` there is no gradient to send: that is a ConfigError.
    """
    if setting.training.accumulate == 1:
        raise ConfigError("copied_messages: accumulate=1 has no gradients to send; it must be at least 2")
    return coordinate(CopyingCoordinator(setting), setting, on_round, start)


class CopyingCoordinator(WaveCoordinator):
    """Writes one message per batch."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.order, self._vector = np.arange(self.rows), np.empty(self.model.size, np.float32)
        move(self.model, self._vector)
        self.start = partial(CopyingProcessors, setting.new_model, self.data.x.shape[1], self.data.y[:0])

    def envelopes(self, start: int, stop: int) -> list[Envelope]:
        """Return a message for each batch of a wave."""
        parameters, size = self._vector.tobytes(), self.queue.batch_size
        return [
            self._envelope(actor, self.order[first : min(first + size, end)], stop - start, parameters)
            for actor, _, begin, end in self.queue.batches(start, stop)
            for first in range(begin, end, size)
        ]

    def _envelope(self, actor: int, chosen: NDArray[np.int64], samples: int, parameters: bytes) -> Envelope:
        head = HEAD.pack(len(chosen), len(chosen) / samples)
        x, y = self.data.x[chosen].tobytes(), self.data.y[chosen].tobytes()
        return Envelope(actor, b"".join([head, parameters, x, y]), cost=len(chosen))

    def update(self, replies: Sequence[Reply], answers: Sequence[Mapping[str, Any]]) -> None:  # noqa: ARG002
        """Add up the gradients, and apply their mean."""
        tree = GradientTree(self.model.size)
        for leaf, reply in enumerate(replies):
            (gradient,) = reply.wire.arrays
            tree.add(Node(leaf, 1, np.frombuffer(gradient, np.float32).copy()))
        self.model.apply(tree.root())


class CopyingProcessors:
    """Compute the gradient of a message's batch; `target`, of no row, has the targets' type and shape."""

    def __init__(self, new_model: NewModel, inputs: int, target: NDArray[Any]) -> None:
        self._model, self._inputs, self._target = new_model(), inputs, target
        self._gradient = np.empty(self._model.size, np.float32)

    def handle(self, actor: int, message: Wire, state: bytes) -> Outcome:  # noqa: ARG002
        """Return the gradient, weighted by the batch's share of the wave's rows."""
        started, model = time.perf_counter(), self._model
        (rows, weight), rest = HEAD.unpack_from(message.body), message.body[HEAD.size :]
        cuts = np.cumsum([4 * model.size, 4 * rows * self._inputs])
        parameters, x, y = (part.copy() for part in np.split(np.frombuffer(rest, np.uint8), cuts))
        model.live_in(parameters.view(np.float32))
        targets = y.view(self._target.dtype).reshape(rows, *self._target.shape[1:])
        loss = model.gradient(x.view(np.float32).reshape(rows, -1), targets, self._gradient, weight) * rows
        work = [[actor, rows, [loss], started, time.perf_counter()]]
        return Wire(body=json.dumps({"work": work}).encode(), arrays=[self._gradient]), b""
