"""The federated scheme: actors train on their own partitions, a Flower strategy aggregates their models."""

from collections.abc import Mapping

from fedlocal.config.capabilities import Capabilities
from fedlocal.flower.server.round_loop import Arrays, FederatedRound
from fedlocal.models.training_run import as_metrics
from fedlocal.results import Checkpoint, Round
from fedlocal.schemes.base import Capture, OnRound, Setting, Trained
from fedlocal.schemes.federated_rounds import federate


@Capabilities(has_clients=True, has_server=True, pilot="fedlocal.autotune.federated_pilot.federated_pilot")
def federated(setting: Setting, on_round: OnRound, start: Checkpoint | None = None) -> Trained:
    """Train with the setting's strategy on its backend."""
    if setting.strategy is None:
        raise TypeError("a scheme with a server needs a strategy")
    model, strategy = setting.new_model(), setting.strategy
    trained = Trained({"model": start.part("model").arrays if start else model.arrays})

    def evaluate(number: int, arrays: Arrays) -> Mapping[str, float]:
        if not setting.is_evaluated(number):
            return {}
        model.load(arrays)
        return as_metrics(setting.evaluate(model))

    def observe(round_: FederatedRound, recorded: Round, capture: Capture) -> None:
        nonlocal trained
        trained = Trained({"model": round_.arrays})
        on_round(recorded, capture)

    federate(setting, strategy, evaluate, observe, start)
    return trained
