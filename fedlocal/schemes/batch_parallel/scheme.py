"""The batch queue of Bartsch & Du Bois (ERAD/RS 2023): a coordinator, and processors of its batches.

The coordinator holds the network and the queue of an epoch's batches, and deals these in waves: which
processor has which batch is settled before a wave begins, and a processor that is done early waits. A
processor computes the gradient of a batch with one thread; the mean of a wave's gradients, weighted by
samples, makes one update. With ``accumulate=1`` a wave is one batch, and the processor that holds it makes
the update itself.

The bits depend on ``accumulate`` and on nothing else here: not on actors, workers, backend or transport, and
``sequential`` with the same ``accumulate`` has the same ones, since every scheme sums a wave by one tree.
But for scikit-learn's networks with ``accumulate=1``: their optimiser's state cannot be read, and starts anew
with each batch.
"""

import json
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import System
from fedlocal.config.schema import ConfigError
from fedlocal.results import Checkpoint
from fedlocal.schemes.base import WITHOUT_CLIENTS, OnRound, Setting, Trained, capabilities
from fedlocal.schemes.batch_parallel.exchange import (
    CopiedMessages,
    Exchange,
    Queue,
    SharedGradients,
    SharedSteps,
)
from fedlocal.schemes.coordinator import CoordinatedActors, checked, coordinate
from fedlocal.schemes.round_timer import RoundTimer


@capabilities(unused_options=WITHOUT_CLIENTS, unused_reason="has no clients and no server")
def batch_parallel(
    setting: Setting,
    on_round: OnRound,
    start: Checkpoint | None = None,
    *,
    transport: Literal["memory", "messages"] = "memory",
) -> Trained:
    """Train with a coordinator and as many processors as the setting has actors.

    A round is as many epochs as one of ``sequential``, over the same rows in the same orders. The partition
    makes no difference: batches are drawn from all rows. An actor's error ends the run, because an update
    from fewer samples would be another one.

    Parameters
    ----------
    setting, on_round, start
        As :class:`~fedlocal.schemes.base.Scheme` says.
    transport : {"memory", "messages"}
        Whether the network and its gradients are shared memory, or copied into each message as in the paper;
        that needs an ``accumulate`` of at least 2, and is slow.

    Raises
    ------
    ActorFailedError
        If an actor failed.
    ConfigError
        If the transport cannot do with this ``accumulate``.
    """
    return coordinate(Processors(setting, transport), setting, on_round, start)


class Processors(CoordinatedActors):
    """The queue, the network, and the processors that work on them."""

    def __init__(self, setting: Setting, transport: str) -> None:
        rows, training, actors = setting.training_rows(), setting.training, len(setting.partition)
        self.rows, self.workers, self.model = len(rows), min(setting.workers, actors), setting.new_model()
        self._timeout = setting.round_timeout
        self._queue = Queue(self.rows, training.batch_size, training.accumulate, actors, self.workers)
        new_exchange = _exchange(transport, training.accumulate)
        self._exchange: Exchange = new_exchange(self._queue, self.model, rows, setting.new_model)
        self.start = self._exchange.start

    def begin_round(self) -> None:
        """Write the model's state where the processors read it."""
        self._exchange.begin_round()

    def epoch(self, order: NDArray[np.int64], system: System, timer: RoundTimer) -> float:
        """Make one update per wave."""
        self._exchange.begin_epoch(order)
        return sum(loss for wave in self._queue.waves() for loss in self._wave(wave, system, timer))

    def end_round(self) -> None:
        """Bring the model to its new state."""
        self._exchange.end_round()

    def close(self) -> None:
        """Give memory back."""
        self._exchange.close()

    def _wave(self, rows: tuple[int, int], system: System, timer: RoundTimer) -> list[float]:
        """Make one update; return each batch's loss, summed over its rows."""
        envelopes = self._exchange.envelopes(*rows)
        replies = [checked(result) for result in system.ask(envelopes, self._timeout)]
        answers = [json.loads(reply.wire.body) for reply in replies]
        timer.collected(replies)
        self._exchange.update(replies, answers)
        timer.lap("aggregation")
        stretches = [
            (reply.worker, *stretch)
            for reply, answer in zip(replies, answers, strict=True)
            for stretch in answer["work"]
        ]
        for stretch in stretches:
            timer.note(*stretch)
        return [loss for _, _, _, losses, _, _ in stretches for loss in losses]


def _exchange(transport: str, accumulate: int) -> Callable[..., Exchange]:
    if transport == "memory":
        return SharedGradients if accumulate > 1 else SharedSteps
    if accumulate == 1:
        raise ConfigError(
            "scheme.transport=messages: accumulate=1 has no gradients to send; it must be at least 2"
        )
    return CopiedMessages
