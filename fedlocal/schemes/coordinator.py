"""Rounds of a scheme in which actors share the work on one model, under a coordinator."""

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import Behaviour, Failure, Reply, Result, System, one_thread
from fedlocal.models import Model
from fedlocal.models.training_run import as_metrics
from fedlocal.results import Checkpoint, Round
from fedlocal.schemes.base import OnRound, Setting, Trained
from fedlocal.schemes.round_timer import Tally
from fedlocal.schemes.sequential import capture_model, restore_model


class TeamError(RuntimeError):
    """An actor of a team failed: there is no update to make."""


class Team(Protocol):
    """Actors that train one model together, as their coordinator sees them.

    Attributes
    ----------
    model : Model
        What is trained.
    rows : int
        On how many rows.
    workers : int
        How many workers the actors keep busy.
    start : callable
        Builds the actors' behaviour; it pickles as a process starts.
    """

    model: Model
    rows: int
    workers: int
    start: Callable[[], Behaviour]

    def begin_round(self) -> None:
        """Let the actors have the model's state, where it is not theirs already."""
        return

    def epoch(self, order: NDArray[np.int64], system: System, tally: Tally) -> float:
        """Train on all rows once, in this order; return the sum of the losses over all rows."""
        ...

    def end_round(self) -> None:
        """Let the model be what it has become, where it is not yet."""
        return

    def close(self) -> None:
        """Give memory back."""


def coordinate(team: Team, setting: Setting, on_round: OnRound, start: Checkpoint | None) -> Trained:
    """Train with a team, and tell of each round; its memory is given back whatever happens.

    A round is as many epochs as one of ``sequential``, over the same rows in the same orders.

    Raises
    ------
    TeamError
        If an actor failed.
    """
    try:
        return _coordinate(team, setting, on_round, start)
    finally:
        team.close()


def _coordinate(team: Team, setting: Setting, on_round: OnRound, start: Checkpoint | None) -> Trained:
    number, begun = start.round if start else 0, time.perf_counter()
    if start:
        restore_model(team.model, start)
    capture = partial(capture_model, team.model)
    system = setting.backend.system(team.start, team.workers, setting.journal)
    try:
        start_up = {"start-up": time.perf_counter() - begun}
        if not start:
            on_round(Round(0, start_up, as_metrics(setting.evaluate(team.model))), capture)
            start_up = {}
        while number < setting.rounds:
            number += 1
            on_round(_round(number, team, setting, system, start_up), capture)
            start_up = {}
    finally:
        system.close()
    return Trained({"model": {name: array.copy() for name, array in team.model.arrays.items()}})


def _round(number: int, team: Team, setting: Setting, system: System, start_up: dict[str, float]) -> Round:
    training = setting.training
    rng, total, tally = training.rng(0, number), 0.0, Tally()
    with one_thread():
        # What cannot be read is lost between rounds, as it is to a client.
        team.model.load_optimizer(team.model.optimizer_arrays if training.keep_optimizer else None)
        team.begin_round()
        for _ in range(training.local_epochs):
            total += team.epoch(rng.permutation(team.rows), system, tally)
        team.end_round()
    tally.lap("aggregation")
    metrics = {"train-loss": total / (training.local_epochs * team.rows)}
    begun = time.perf_counter()
    if setting.is_evaluated(number):
        metrics |= as_metrics(setting.evaluate(team.model))
    seconds = {**start_up, **tally.seconds(system.workers), "evaluation": time.perf_counter() - begun}
    rows = training.local_epochs * team.rows
    return Round(number, seconds, metrics, tally.actors(), work=tally.work, trained_rows=rows)


def checked(result: Result) -> Reply:
    """Return a reply; raise what became of the message otherwise."""
    if isinstance(result, Failure):
        raise TeamError(f"actor {result.actor} failed ({result.cause}): {result.reason}")
    return result
