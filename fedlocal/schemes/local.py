"""The local scheme: every actor trains alone on its own partition, and nobody aggregates.

It shows what the federation is worth: the metrics of a round are the means over the actors' own models.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.flower.messages.arrays import ndarrays
from fedlocal.flower.node.client_runner import node_of
from fedlocal.flower.server.round_loop import Arrays, FederatedRound
from fedlocal.models.training_run import as_metrics
from fedlocal.results import Checkpoint, Round, joined
from fedlocal.schemes.base import Capture, OnRound, Setting, Trained, declares
from fedlocal.schemes.federated_rounds import federate
from fedlocal.strategies.no_aggregation import NoAggregation


@declares(has_clients=True, unused=("strategy", "validation_fraction"), why="has no server")
def local(setting: Setting, on_round: OnRound, start: Checkpoint | None = None) -> Trained:
    """Train one model per actor on the setting's backend."""
    model, alone = setting.new_model(), NoAggregation()
    evaluated: dict[int, dict[str, float]] = {}
    actors = range(len(setting.slices))

    def own_arrays(actor: int, initial: Arrays) -> Arrays:
        record = alone.models.get(node_of(actor))
        return initial if record is None else ndarrays(record)

    def evaluate(number: int, initial: Arrays) -> Mapping[str, float]:
        evaluated.clear()
        if not setting.is_evaluated(number):
            return {}
        for actor in actors:
            model.load(own_arrays(actor, initial))
            evaluated[actor] = as_metrics(setting.evaluate(model))
        return {
            metric: float(np.mean([own[metric] for own in evaluated.values()])) for metric in evaluated[0]
        }

    def observe(_: FederatedRound, recorded: Round, capture: Capture) -> None:
        measured = {actor: {**recorded.actors.get(actor, {}), **evaluated.get(actor, {})} for actor in actors}
        on_round(replace(recorded, actors=measured), lambda: _without_model(capture))

    initial = setting.new_model().arrays
    if start:
        start = replace(start, arrays={**start.arrays, **joined({"model": initial})})
    federate(setting, alone, evaluate, observe, start)
    return Trained({f"actor-{actor}": own_arrays(actor, initial) for actor in actors})


def _without_model(capture: Capture) -> dict[str, NDArray[Any]]:
    """Leave out the global model: it is the initial one for ever, and nobody's."""
    return {name: array for name, array in capture().items() if not name.startswith("model/")}
