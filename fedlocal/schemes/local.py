"""The local scheme: every actor trains alone on its own partition, without aggregation.

It shows what the federation is worth: the metrics of a round are the means over the actors' own models.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.config.capabilities import Capabilities
from fedlocal.flower.messages.arrays import ndarrays
from fedlocal.flower.node.client_runner import node_of
from fedlocal.flower.server.round_loop import Arrays, FederatedRound
from fedlocal.models.training_run import as_metrics
from fedlocal.results import Checkpoint, Round, joined
from fedlocal.schemes.base import Capture, OnRound, Setting, Trained
from fedlocal.schemes.federated_rounds import federate
from fedlocal.strategies.no_aggregation import NoAggregation


@Capabilities(
    has_clients=True, unused_options=("strategy", "validation_fraction"), unused_reason="has no server"
)
def local(setting: Setting, on_round: OnRound, start: Checkpoint | None = None) -> Trained:
    """Train one model per actor on the setting's backend."""
    model, alone = setting.new_model(), NoAggregation()
    evaluated: dict[int, dict[str, float]] = {}
    actors = range(len(setting.slices))

    def arrays_of(actor: int, initial: Arrays) -> Arrays:
        record = alone.models.get(node_of(actor))
        return initial if record is None else ndarrays(record)

    def evaluate(number: int, initial: Arrays) -> Mapping[str, float]:
        evaluated.clear()
        if not setting.is_evaluated(number):
            return {}
        for actor in actors:
            model.load(arrays_of(actor, initial))
            evaluated[actor] = as_metrics(setting.evaluate(model))
        return {
            metric: float(np.mean([metrics[metric] for metrics in evaluated.values()]))
            for metric in evaluated[0]
        }

    def observe(_: FederatedRound, recorded: Round, capture: Capture) -> None:
        measured = {actor: {**recorded.actors.get(actor, {}), **evaluated.get(actor, {})} for actor in actors}
        on_round(replace(recorded, actors=measured), lambda: _without_model(capture))

    initial = setting.new_model().arrays
    if start:
        start = replace(start, arrays={**start.arrays, **joined({"model": initial})})
    federate(setting, alone, evaluate, observe, start)
    return Trained({f"actor-{actor}": arrays_of(actor, initial) for actor in actors})


def _without_model(capture: Capture) -> dict[str, NDArray[Any]]:
    """Leave out the global model: it stays the initial one, and no actor has it."""
    return {name: array for name, array in capture().items() if not name.startswith("model/")}
