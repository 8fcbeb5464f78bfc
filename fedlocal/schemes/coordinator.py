"""Rounds of a scheme in which actors share the work on one model, under a coordinator."""

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import Behaviour, Failure, Reply, Result, System, one_thread
from fedlocal.models import Model
from fedlocal.models.training_run import as_metrics
from fedlocal.results import Checkpoint, Round
from fedlocal.schemes.base import OnRound, Setting, Trained
from fedlocal.schemes.round_timer import RoundTimer
from fedlocal.schemes.sequential import capture_model, restore_model


class ActorFailedError(RuntimeError):
    """A coordinated actor failed: there is no update to make."""


class CoordinatedActors(Protocol):
    """Actors that train one model together on so many rows, as their coordinator sees them.

    They keep `workers` busy; `start` builds their behaviour, and pickles as a process starts.
    """

    model: Model
    rows: int
    workers: int
    start: Callable[[], Behaviour]

    def begin_round(self) -> None:
        """Let the actors have the model's state, where they do not share it already."""
        return

    def epoch(self, order: NDArray[np.int64], system: System, timer: RoundTimer) -> float:
        """Train on all rows once, in this order; return the sum of the losses over all rows."""
        ...

    def end_round(self) -> None:
        """Bring the model to its new state, where that is kept elsewhere."""
        return

    def close(self) -> None:
        """Give memory back."""
        return


def coordinate(
    actors: CoordinatedActors, setting: Setting, on_round: OnRound, start: Checkpoint | None
) -> Trained:
    """Train with coordinated actors and report each round; their memory is given back whatever happens.

    A round is as many epochs as one of ``sequential``, over the same rows in the same orders.

    Raises
    ------
    ActorFailedError
        If an actor failed.
    """
    with closing(actors):
        model, done, started = actors.model, start.round if start else 0, time.perf_counter()
        if start:
            restore_model(model, start)
        capture = partial(capture_model, model)
        with closing(setting.backend.system(actors.start, actors.workers, setting.journal)) as system:
            start_up = {"start-up": time.perf_counter() - started}
            if not start:
                on_round(Round(0, start_up, as_metrics(setting.evaluate(model))), capture)
                start_up = {}
            for number in range(done + 1, setting.rounds + 1):
                on_round(_round(number, actors, setting, system, start_up), capture)
                start_up = {}
        return Trained({"model": {name: array.copy() for name, array in model.arrays.items()}})


def _round(
    number: int, actors: CoordinatedActors, setting: Setting, system: System, start_up: dict[str, float]
) -> Round:
    training = setting.training
    rng, total, timer = training.rng(0, number), 0.0, RoundTimer()
    with one_thread():
        # What cannot be read is lost between rounds, as it is to a client.
        actors.model.load_optimizer(actors.model.optimizer_arrays if training.keep_optimizer else None)
        actors.begin_round()
        for _ in range(training.local_epochs):
            total += actors.epoch(rng.permutation(actors.rows), system, timer)
        actors.end_round()
    timer.lap("aggregation")
    metrics = {"train-loss": total / (training.local_epochs * actors.rows)}
    evaluation_started = time.perf_counter()
    if setting.is_evaluated(number):
        metrics |= as_metrics(setting.evaluate(actors.model))
    seconds = {
        **start_up,
        **timer.seconds(system.workers),
        "evaluation": time.perf_counter() - evaluation_started,
    }
    rows = training.local_epochs * actors.rows
    return Round(number, seconds, metrics, timer.actors(), work=timer.work, trained_rows=rows)


def checked(result: Result) -> Reply:
    """Return a result that is a reply.

    Raises
    ------
    ActorFailedError
        If it is a failure.
    """
    if isinstance(result, Failure):
        raise ActorFailedError(f"actor {result.actor} failed ({result.cause}): {result.reason}")
    return result
