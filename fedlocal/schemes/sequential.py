"""The sequential scheme: plain SGD on all data in one process. It is also the other schemes' baseline."""

import math
import time
from dataclasses import replace
from typing import Any, cast

from numpy.typing import NDArray

from fedlocal.actors import threads
from fedlocal.config.capabilities import Capabilities
from fedlocal.models import Model
from fedlocal.models.training_run import as_metrics
from fedlocal.results import Checkpoint, Round, joined
from fedlocal.schemes.base import WITHOUT_CLIENTS, OnRound, Setting, Trained


class OverTimeError(Exception):
    """Training took longer than it may."""


class SequentialRun:
    """Sequential training, one round at a time, so that it can alternate with another scheme.

    A round is as many epochs as a client's, over all the rows that the actors train on. With one actor and
    one local epoch it draws, computes and ends exactly as the federated scheme does under ``fedavg``. With
    `plain`, each update is a plain step over its rows, in place of a sum of the gradients of batches.
    """

    def __init__(self, setting: Setting, blas_threads: int = 1, *, plain: bool = False) -> None:
        if plain:
            rows = setting.training.batch_size * setting.training.accumulate
            setting = replace(setting, training=replace(setting.training, batch_size=rows, accumulate=1))
        self._setting, self._threads = setting, blas_threads
        self._rows = setting.training_rows()
        self.model = setting.new_model()
        self.number = 0

    def capture(self) -> dict[str, NDArray[Any]]:
        """Return copies of the model and of its optimiser's state."""
        return capture_model(self.model)

    def go_on(self, start: Checkpoint) -> None:
        """Go on from the state of a run that was captured after a round."""
        self.number = start.round
        restore_model(self.model, start)

    def start(self) -> Round:
        """Return round 0: the evaluation of the initial model."""
        return Round(0, metrics=as_metrics(self._setting.evaluate(self.model)))

    def step(self, limit: float = math.inf) -> Round:
        """Train for one round.

        Raises
        ------
        OverTimeError
            If training took longer than `limit` seconds; the model is then of no use.
        """
        self.number += 1
        training = self._setting.training
        started, model = time.perf_counter(), self.model
        if limit < math.inf:
            model = cast(Model, _ModelUntilDeadline(self.model, started + limit))
        with threads(self._threads):
            # What cannot be read is lost between rounds, as it is to a client.
            self.model.load_optimizer(self.model.optimizer_arrays if training.keep_optimizer else None)
            loss = training.run(model, self._rows.x, self._rows.y, partition=0, number=self.number)
        trained = time.perf_counter()
        metrics = {"train-loss": loss}
        if self._setting.is_evaluated(self.number):
            metrics |= as_metrics(self._setting.evaluate(self.model))
        seconds = {"training": trained - started, "evaluation": time.perf_counter() - trained}
        rows = training.local_epochs * len(self._rows)
        return Round(self.number, seconds, metrics, trained_rows=rows)


class _ModelUntilDeadline:
    """A model that is trained until a deadline."""

    def __init__(self, model: Model, deadline: float) -> None:
        self._model, self._deadline = model, deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def train_step(self, x: Any, y: Any) -> float:
        """Train on a batch, if there is time."""
        self._check()
        return self._model.train_step(x, y)

    def gradient(self, *arguments: Any, **options: Any) -> float:
        """Compute a gradient, if there is time."""
        self._check()
        return self._model.gradient(*arguments, **options)

    def _check(self) -> None:
        if time.perf_counter() > self._deadline:
            raise OverTimeError


def capture_model(model: Model) -> dict[str, NDArray[Any]]:
    """Return copies of a model's parameters and of its optimiser's state."""
    state = joined({"model": model.arrays, "optimizer": model.optimizer_arrays})
    return {name: array.copy() for name, array in state.items()}


def restore_model(model: Model, start: Checkpoint) -> None:
    """Give a model what `capture_model` returned."""
    model.load(start.part("model").arrays)
    model.load_optimizer(start.part("optimizer").arrays)


@Capabilities(
    unused_options=(*WITHOUT_CLIENTS.unused_options, "actors", "workers", "backend", "round_timeout"),
    unused_reason="is one process without clients",
)
def sequential(setting: Setting, on_round: OnRound, start: Checkpoint | None = None) -> Trained:
    """Train on all rows with one BLAS thread."""
    run = SequentialRun(setting)
    if start:
        run.go_on(start)
    else:
        on_round(run.start(), run.capture)
    while run.number < setting.rounds:
        on_round(run.step(), run.capture)
    return Trained({"model": run.model.arrays})
