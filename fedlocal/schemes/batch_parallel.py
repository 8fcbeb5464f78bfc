"""The batch queue of Bartsch & Du Bois (ERAD/RS 2023): a coordinator, and processors that pull its batches.

The coordinator holds the network and the queue of an epoch's batches. In a wave, each processor computes the
gradient of a batch with one thread; their mean, weighted by samples, makes one update. With ``accumulate=1``
a wave is one batch, and the processor that holds it makes the update itself.

The bits depend on ``accumulate`` and on nothing else here: not on actors, workers, backend or transport, and
``sequential`` with the same ``accumulate`` has the same ones, since every scheme sums a wave by one tree.
But for scikit-learn's networks with ``accumulate=1``: their optimiser's state cannot be read, and starts anew
with each batch.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from fedlocal.actors import Failure, Reply, System, one_thread
from fedlocal.config import ConfigError
from fedlocal.flower.client_app import as_metrics
from fedlocal.results import Checkpoint, Round, Work
from fedlocal.schemes.exchange import CopiedMessages, Exchange, Queue, SharedGradients, SharedSteps
from fedlocal.schemes.sequential import capture_model, restore_model
from fedlocal.schemes.setting import OnRound, Setting, Trained


class ProcessorError(RuntimeError):
    """A batch has no gradient: there is no update to make."""


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
        As :class:`~fedlocal.schemes.setting.Scheme` says.
    transport : {"memory", "messages"}
        Whether the network and its gradients are shared memory, or copied into each message as in the paper;
        that needs an ``accumulate`` of at least 2, and is slow.

    Raises
    ------
    ProcessorError
        If an actor failed.
    ConfigError
        If the transport cannot do with this ``accumulate``.
    """
    coordinator = Coordinator(setting, transport)
    try:
        return coordinator.run(on_round, start)
    finally:
        coordinator.close()


class Coordinator:
    """Holds the queue and the network, and has the processors work."""

    def __init__(self, setting: Setting, transport: str) -> None:
        self._setting, self._rows = setting, setting.training_rows()
        training, actors = setting.training, len(setting.partition)
        self.model = setting.new_model()
        self._queue = Queue(
            len(self._rows),
            training.batch_size,
            training.accumulate,
            actors,
            min(setting.workers, actors),
        )
        kind = _exchange(transport, training.accumulate)
        self._exchange: Exchange = kind(self._queue, self.model, self._rows, setting.new_model)

    def run(self, on_round: OnRound, start: Checkpoint | None) -> Trained:
        """Train, and tell of each round."""
        setting, number, begun = self._setting, start.round if start else 0, time.perf_counter()
        if start:
            restore_model(self.model, start)
        system = setting.backend.system(self._exchange.start, self._queue.workers, setting.journal)
        try:
            start_up = {"start-up": time.perf_counter() - begun}
            if not start:
                metrics = as_metrics(setting.evaluate(self.model))
                on_round(Round(0, start_up, metrics), partial(capture_model, self.model))
                start_up = {}
            while number < setting.rounds:
                number += 1
                on_round(self._round(number, system, start_up), partial(capture_model, self.model))
                start_up = {}
        finally:
            system.close()
        return Trained({"model": {name: array.copy() for name, array in self.model.arrays.items()}})

    def close(self) -> None:
        """Give memory back."""
        self._exchange.close()

    def _round(self, number: int, system: System, start_up: dict[str, float]) -> Round:
        training, setting = self._setting.training, self._setting
        rng, total, tally = training.rng(0, number), 0.0, _Tally()
        with one_thread():
            # What cannot be read is lost between rounds, as it is to a client.
            self.model.load_optimizer(self.model.optimizer_arrays if training.keep_optimizer else None)
            self._exchange.begin_round()
            for _ in range(training.local_epochs):
                self._exchange.begin_epoch(rng.permutation(self._queue.rows))
                total += sum(loss for wave in self._queue.waves() for loss in self._wave(wave, system, tally))
            self._exchange.end_round()
        tally.lap("aggregation")
        metrics = {"train-loss": total / (training.local_epochs * self._queue.rows)}
        begun = time.perf_counter()
        if setting.is_evaluated(number):
            metrics |= as_metrics(setting.evaluate(self.model))
        seconds = {**start_up, **tally.seconds(system.workers), "evaluation": time.perf_counter() - begun}
        return Round(number, seconds, metrics, tally.actors(), work=tally.work)

    def _wave(self, rows: tuple[int, int], system: System, tally: "_Tally") -> list[float]:
        """Make one update; return each batch's loss, summed over its rows."""
        envelopes = self._exchange.envelopes(*rows)
        replies = [_checked(result) for result in system.ask(envelopes, self._setting.round_timeout)]
        answers = [json.loads(reply.wire.body) for reply in replies]
        tally.collected(replies)
        self._exchange.update(replies, answers)
        tally.lap("aggregation")
        return [
            loss
            for reply, answer in zip(replies, answers, strict=True)
            for stretch in answer["work"]
            for loss in tally.note(reply.worker, *stretch)
        ]


def _exchange(transport: str, accumulate: int) -> Callable[..., Exchange]:
    if transport == "memory":
        return SharedGradients if accumulate > 1 else SharedSteps
    if accumulate == 1:
        raise ConfigError(
            "scheme.transport=messages: accumulate=1 has no gradients to send; it must be at least 2"
        )
    return CopiedMessages


def _checked(result: Reply | Failure) -> Reply:
    if isinstance(result, Reply):
        return result
    raise ProcessorError(f"actor {result.actor} failed ({result.cause}): {result.reason}")


@dataclass
class _Tally:
    """The times of a round, and what each actor did in it."""

    laps: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    busy: float = 0.0
    _last: float = field(default_factory=time.perf_counter)
    work: list[Work] = field(default_factory=list)
    _own: dict[int, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._begun = self._last

    def lap(self, name: str, now: float | None = None) -> None:
        """Add the time since the last lap to a span."""
        now = time.perf_counter() if now is None else now
        self.laps[name] += now - self._last
        self._last = now

    def collected(self, replies: Sequence[Reply]) -> None:
        """Divide the time since the last lap: until the first began to work, the last ended, and now."""
        self.lap("dispatch", min(reply.started for reply in replies))
        self.lap("training", max(reply.ended for reply in replies))
        self.lap("collection")
        self.busy += sum(reply.ended - reply.started for reply in replies)

    def note(
        self, worker: int, actor: int, rows: int, losses: list[float], started: float, ended: float
    ) -> list[float]:
        """Add one stretch of an actor's work; return its losses."""
        self.work.append(Work(actor, worker, started - self._begun, ended - started))
        own = self._own.setdefault(actor, {"num-examples": 0.0, "train-loss": 0.0, "seconds": 0.0})
        own["num-examples"] += rows
        own["train-loss"] += sum(losses)
        own["seconds"] += ended - started
        return losses

    def actors(self) -> dict[int, dict[str, float]]:
        """Return what is recorded of each actor; its loss is the mean over its rows."""
        return {
            actor: {**own, "train-loss": own["train-loss"] / own["num-examples"]}
            for actor, own in self._own.items()
        }

    def seconds(self, workers: int) -> dict[str, float]:
        """Return the spans, and the worker-seconds in them."""
        idle = max(0.0, workers * sum(self.laps.values()) - self.busy)
        return {**self.laps, "busy": self.busy, "idle": idle}
