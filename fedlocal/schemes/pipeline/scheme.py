"""A pipeline of actors: some load batches, one makes their forward passes, another their backward passes.

A batch is cut into micro-batches of ``batch_size`` rows, ``accumulate`` of them. While one is loaded, another
goes forward and a third one backward; when the last of a batch is through, the mean of the gradients makes
one update, and the next batch goes forward. It is the schedule of GPipe (Huang et al., arXiv:1811.06965,
section 2.3), whose stages are groups of layers: with ``stages=2``, the lower and the upper layers have a
forward and a backward actor each.

Actors are connected by mailboxes that keep the order, and by credits: a micro-batch is loaded when there is a
slot for it in shared memory, which it gives back when its gradient is there. Each step is one message, whose
result is a future. All of them are journalled, supervised, and handled again if a worker dies.

The bits are those of ``sequential`` with the same ``accumulate``: not those of actors, workers or stages.
"""

import json
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import Envelope, Result, SharedArray, System
from fedlocal.config.schema import ConfigError
from fedlocal.data import Partition, Rows, Shards
from fedlocal.models import MLP, stages_of
from fedlocal.results import Checkpoint
from fedlocal.schemes.base import WITHOUT_CLIENTS, OnRound, Setting, Trained
from fedlocal.schemes.batch_parallel.waves import LINE, move, rounded
from fedlocal.schemes.coordinator import CoordinatedActors, coordinate
from fedlocal.schemes.pipeline.epoch import PipelineEpoch
from fedlocal.schemes.pipeline.schedule import EpochPlan, Sum, Sums, buffers
from fedlocal.schemes.pipeline.stages import PipelineMemory, PipelineStages
from fedlocal.schemes.round_timer import RoundTimer


@WITHOUT_CLIENTS
def pipeline(
    setting: Setting,
    on_round: OnRound,
    start: Checkpoint | None = None,
    *,
    stages: int = 1,
    credits: int = 4,  # noqa: A002 - the option's name
) -> Trained:
    """Train one model with a pipeline of as many actors as the setting has.

    The first actors load; of the others, one makes the forward and one the backward passes of each stage. The
    partition makes no difference: batches are drawn from all rows, in the order of ``sequential``.

    Parameters
    ----------
    setting, on_round, start
        As :class:`~fedlocal.schemes.base.Scheme` says.
    stages : int
        Groups of layers. With 0, one actor makes both passes through all layers: for models that do not make
        them apart, which are all but ``mlp``.
    credits : int
        How many micro-batches are under way at most, from loading to their gradient.

    Raises
    ------
    ActorFailedError
        If an actor failed.
    ConfigError
        If there are too few actors for a loader and the stages, an option is out of range, or ``accumulate``
        is 1: then nothing could overlap.
    ModelError
        If the model cannot be cut into so many stages.
    """
    _check(stages, credits, setting)
    return coordinate(Pipeline(setting, stages, credits), setting, on_round, start)


def _passes_of(stages: int) -> int:
    """Return how many actors make passes: two for each stage; one, where they are not made apart."""
    return 2 * stages or 1


def _check(stages: int, slots: int, setting: Setting) -> None:
    actors, passes = len(setting.partition), _passes_of(stages)
    if stages < 0:
        raise ConfigError(f"scheme.stages={stages}: must be at least 0")
    if slots < 1:
        raise ConfigError(f"scheme.credits={slots}: must be at least 1")
    if actors <= passes:
        raise ConfigError(
            f"actors={actors}: scheme.stages={stages} needs {passes} for the passes and one to load; "
            f"set actors={passes + 1} or more"
        )
    if setting.training.accumulate == 1:
        raise ConfigError(
            "accumulate=1: a pipeline works on the micro-batches of one update at the same time; set "
            "accumulate=2 or more, and batch_size to the rows of each"
        )


class Pipeline(CoordinatedActors):
    """The actors of a pipeline, from the loaders to the last backward pass."""

    def __init__(self, setting: Setting, stages: int, slots: int) -> None:
        rows, training, self.model = setting.training_rows(), setting.training, setting.new_model()
        self._stages = tuple(stages_of(self.model, stages)) if stages else ()
        self._passes = _passes_of(stages)
        self._loaders = len(setting.partition) - self._passes
        self.rows, self.workers = len(rows), min(setting.workers, len(setting.partition))
        self._plan = EpochPlan(self.rows, training.batch_size, training.accumulate, 1 + self._passes, slots)
        self._timeout, self._sums = setting.round_timeout, Sums(training.accumulate)
        self._memory = self._shared(rows, setting)
        self.start = partial(PipelineStages, self._memory)

    def epoch(self, order: NDArray[np.int64], system: System, timer: RoundTimer) -> float:
        """Send the rows through the pipeline, an update after each wave of batches."""
        self._memory.order.array[:] = order
        sums: dict[int, Sum] = {}

        def send(step: int, batch: int) -> Future[Result]:
            body = self._body(step, batch, sums)
            actor = batch % self._loaders if step == 0 else self._loaders + step - 1
            return system.submit(Envelope(actor, json.dumps(body).encode(), cost=body["rows"] * (1 + step)))

        def update(last: int) -> None:
            self.model.apply(self._memory.sums.array[sums[last].buffer, : self.model.size])

        return PipelineEpoch(self._plan, send, update, timer).run(self._timeout)

    def close(self) -> None:
        """Give memory back."""
        self._memory.close()

    def _body(self, step: int, batch: int, sums: dict[int, Sum]) -> dict[str, Any]:
        """Return the message that has a batch make a step."""
        start, stop = self._plan.rows_of(batch)
        batch_slot: dict[str, Any] = {"slot": batch % self._plan.slots, "rows": stop - start}
        if step == 0:
            return {"task": "load", "start": start, "stop": stop, **batch_slot}
        if step <= len(self._stages):
            return {"task": "forward", "stage": step - 1, **batch_slot}
        wave = self._plan.wave_of(batch)
        if batch not in sums:
            sums[batch] = self._sums.next(last=batch == wave[-1])
        weight = (stop - start) / (self._plan.rows_of(wave[-1])[1] - self._plan.rows_of(wave[0])[0])
        gradient = {"weight": weight, **sums[batch]._asdict()}
        if not self._stages:
            return {"task": "learn", **gradient, **batch_slot}
        return {"task": "backward", "stage": self._passes - step, **gradient, **batch_slot}

    def _shared(self, rows: Rows, setting: Setting) -> PipelineMemory:
        """Make the memory that actors share; the model lives in it from now on."""
        model, size, plan = self.model, setting.training.batch_size, self._plan
        floats = size * rows.x.shape[1]
        if isinstance(model, MLP) and self._stages:
            floats = model.network.buffers_size(size)
        parameters = SharedArray((model.size,), np.float32)
        move(model, parameters.array)
        all_rows = Partition(np.arange(len(rows)), np.array([0, len(rows)]))
        return PipelineMemory(
            setting.new_model,
            self._stages,
            Shards.create(rows, all_rows),
            size,
            order=SharedArray((len(rows),), np.int64),
            parameters=parameters,
            slots=SharedArray((plan.slots, rounded(floats, LINE)), np.float32),
            targets=SharedArray((plan.slots, size, *rows.y.shape[1:]), rows.y.dtype),
            sums=SharedArray((buffers(plan.wave), rounded(model.size, LINE)), np.float32),
        )
