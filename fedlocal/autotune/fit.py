"""Fits the costs of the model to the times that the rounds of a pilot took."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fedlocal.autotune.cost_model import FederatedCosts, LinearCost, Sampling, SharedCost, Workers

MOST_SPREAD = 0.5  # of workers' speeds; more is an accident


@dataclass(frozen=True)
class Measurement:
    """The seconds of a round whose actors have equally many rows, of its aggregation, and of a message.

    `spread` is how much longer the longest message took in its worker than their mean, relative to it.
    """

    actors: int
    rows: int
    seconds: float
    aggregation: float
    message: float
    spread: float = 0.0


def fit_costs(
    measurements: Mapping[str, Measurement], workers: int, batch_size: int, epochs: int, sampling: Sampling
) -> FederatedCosts:
    """Find the costs with which the model gives what was measured.

    The rounds that were measured are of one epoch, and all actors take part. ``step``, ``part``, ``long``: as
    many actors as workers, with one full batch, a part of one, and several; ``alone``: fewer actors with as
    many rows as ``long``; ``crowd``: many actors with rows as in ``part``; ``stacked``, if the model is: as
    many with several full batches.
    """
    part, crowd = measurements["part"], measurements["crowd"]
    costs = _steps(measurements, batch_size, _workers(workers, measurements["alone"], measurements["long"]))
    if stacked := measurements.get("stacked"):
        costs = _with_stacks(costs, crowd, stacked)

    def rest(measured: Measurement) -> float:
        predicted = costs.predict(np.full(measured.actors, measured.rows)).seconds
        return measured.seconds - measured.aggregation - predicted

    return replace(
        costs,
        epochs=epochs,
        sampling=sampling,
        exchange=LinearCost.through((part.actors, rest(part)), (crowd.actors, rest(crowd))),
        aggregation=LinearCost.through((part.actors, part.aggregation), (crowd.actors, crowd.aggregation)),
    )


def _steps(measurements: Mapping[str, Measurement], batch_size: int, workers: Workers) -> FederatedCosts:
    """Solve for messages, steps and rows where nothing is shared; the rest costs nothing as yet."""
    step, part, long = measurements["step"], measurements["part"], measurements["long"]
    full = max(0.0, (long.message - step.message) / (long.rows / batch_size - 1))
    saved, fewer = max(0.0, step.message - part.message), step.rows - part.rows
    row = min(saved / fewer, full / batch_size) if fewer else 0.0
    empty, message = full - batch_size * row, max(0.0, step.message - full)
    nothing = LinearCost(0.0, 0.0)
    return FederatedCosts(
        batch_size, 1, SharedCost(empty, empty), SharedCost(message, message), row, workers, nothing, nothing
    )


def _workers(count: int, alone: Measurement, long: Measurement) -> Workers:
    if count == 1 or not long.message:
        return Workers(count)
    relative = min(1.0, max(1 / count, alone.message / long.message))
    return Workers(count, relative, min(MOST_SPREAD, long.spread))


def _with_stacks(costs: FederatedCosts, crowd: Measurement, stacked: Measurement) -> FederatedCosts:
    """Solve for what steps and messages cost among as many clients as there are in the crowd."""
    steps, clients = stacked.rows // costs.batch_size, crowd.actors / costs.workers.count
    more = stacked.message - crowd.message - costs.row * (stacked.rows - crowd.rows)
    step = SharedCost.measured(costs.step.alone, more / (steps - 1), clients)
    among = crowd.message - costs.row * crowd.rows - float(step.at(np.array(clients)))
    return replace(costs, step=step, message=SharedCost.measured(costs.message.alone, among, clients))
