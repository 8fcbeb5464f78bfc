"""From what the rounds of a pilot took to the costs that predict them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fedlocal.autotune.cost_model import FederatedCosts, Line, Sampling, Shared, Workers

MOST_SPREAD = 0.5  # of workers' speeds; more is an accident


@dataclass(frozen=True)
class Taken:
    """What a round with equal actors took.

    Parameters
    ----------
    actors, rows : int
        How many, and the rows of each.
    seconds, aggregation : float
        Of the round, and of its aggregation.
    message : float
        Seconds of a message in its worker.
    spread : float
        How much longer the longest message took than their mean, relative to it.
    """

    actors: int
    rows: int
    seconds: float
    aggregation: float
    message: float
    spread: float = 0.0


def solved(
    taken: Mapping[str, Taken], workers: int, batch_size: int, epochs: int, sampling: Sampling
) -> FederatedCosts:
    """Find the costs with which the model gives what was measured.

    Parameters
    ----------
    taken : mapping of str to Taken
        Rounds of one epoch. ``step``, ``part`` and ``long``: as many actors as workers, with one full batch,
        a part of one, and several; ``alone``: fewer actors with as many rows as ``long``; ``crowd``: many
        actors with rows as in ``part``; ``stacked``, if the model is: as many with several full batches.
    workers, batch_size, epochs : int
        Of the run.
    sampling : Sampling
        Of the run's strategy; here, all take part.
    """
    part, crowd = taken["part"], taken["crowd"]
    costs = _steps(taken, batch_size, _workers(workers, taken["alone"], taken["long"]))
    if stacked := taken.get("stacked"):
        costs = _with_stacks(costs, crowd, stacked)

    def rest(one: Taken) -> float:
        return one.seconds - one.aggregation - costs.predict(np.full(one.actors, one.rows)).seconds

    return replace(
        costs,
        epochs=epochs,
        sampling=sampling,
        exchange=Line.through((part.actors, rest(part)), (crowd.actors, rest(crowd))),
        aggregation=Line.through((part.actors, part.aggregation), (crowd.actors, crowd.aggregation)),
    )


def _steps(taken: Mapping[str, Taken], batch_size: int, workers: Workers) -> FederatedCosts:
    """Solve for messages, steps and rows where nothing is shared; the rest costs nothing as yet."""
    step, part, long = taken["step"], taken["part"], taken["long"]
    full = max(0.0, (long.message - step.message) / (long.rows / batch_size - 1))
    saved, fewer = max(0.0, step.message - part.message), step.rows - part.rows
    row = min(saved / fewer, full / batch_size) if fewer else 0.0
    empty, message = full - batch_size * row, max(0.0, step.message - full)
    nothing = Line(0.0, 0.0)
    return FederatedCosts(
        batch_size, 1, Shared(empty, empty), Shared(message, message), row, workers, nothing, nothing
    )


def _workers(count: int, alone: Taken, long: Taken) -> Workers:
    if count == 1 or not long.message:
        return Workers(count)
    relative = min(1.0, max(1 / count, alone.message / long.message))
    return Workers(count, relative, min(MOST_SPREAD, long.spread))


def _with_stacks(costs: FederatedCosts, crowd: Taken, stacked: Taken) -> FederatedCosts:
    """Solve for what steps and messages cost among as many clients as there are in the crowd."""
    steps, clients = stacked.rows // costs.batch_size, crowd.actors / costs.workers.count
    more = stacked.message - crowd.message - costs.row * (stacked.rows - crowd.rows)
    step = Shared.measured(costs.step.alone, more / (steps - 1), clients)
    among = crowd.message - costs.row * crowd.rows - float(step.at(np.array(clients)))
    return replace(costs, step=step, message=Shared.measured(costs.message.alone, among, clients))
