"""What the schemes with clients share: a strategy's rounds on a backend, and the times of a round."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import one_thread
from fedlocal.flower.admission.policy import WEIGHT, Admission, Declaration
from fedlocal.flower.admission.strict import Sizes, Strict
from fedlocal.flower.admission.structural import Structural
from fedlocal.flower.client.clients import Client, DefaultClient, start_runner
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.local_grid import OpenGrid
from fedlocal.flower.server.round_loop import Evaluate, FederatedRound, RoundLoop, Strategy
from fedlocal.flower.server.wrapping import innermost
from fedlocal.models import untrained_of
from fedlocal.results import MOST_LISTED, Checkpoint, MessageError, Round, joined, phases
from fedlocal.schemes.base import Capture, Setting
from fedlocal.strategies.state import restore, state_of


def federate(
    setting: Setting,
    strategy: Strategy,
    evaluate: Evaluate,
    on_round: Callable[[FederatedRound, Round, Capture], None],
    start: Checkpoint | None,
) -> None:
    """Run a strategy's rounds over the setting's actors.

    `evaluate` is the central evaluation; `on_round` is called with each round, as the loop returns it and as
    it is recorded, and with what captures it; `start` is the captured state of an earlier run.
    """
    slices, training = setting.slices, setting.training
    sizes = slices.training_sizes
    costs = sizes.astype(np.float64)
    client = setting.client or DefaultClient()
    admission = admission_of(client.declaration, strategy, sizes, slices.held_out_sizes)
    loop = RoundLoop(
        strategy,
        setting.rounds,
        training.seed,
        evaluate,
        admission,
        setting.min_results,
        setting.round_timeout,
        setting.presences,
        untrained_of(setting.new_model()),
    )
    started = time.perf_counter()
    with (
        quiet(),
        one_thread(),  # aggregation is a product of matrices too
        setting.backend.open(
            partial(start_runner, client, slices, setting.new_model, training),
            costs,
            setting.workers,
            setting.journal,
        ) as grid,
    ):
        if start:
            restore(strategy, start.part("strategy").arrays)
            grid.restore(start.part("grid").arrays)
        initial = start.part("model").arrays if start else setting.new_model().arrays
        start_up = {"start-up": time.perf_counter() - started}  # of the first round that is recorded
        for round_ in loop.run(grid, initial, start.round if start else 0):
            seconds = start_up | (times(round_) if round_.number else {})
            rows = _trained_rows(round_, setting, client) if round_.number else None
            recorded = replace(as_round(round_, seconds), trained_rows=rows)
            on_round(round_, recorded, partial(capture, round_, strategy, grid))
            start_up = {}


def admission_of(
    declaration: Declaration, strategy: Strategy, sizes: Sizes, held_out: Sizes | None = None
) -> Admission:
    """Return the policy by which the replies of a run's clients are judged.

    Parameters
    ----------
    declaration : Declaration
        The client's; the strategy adds the metrics that it computes with.
    strategy : Strategy
        Aggregates the replies.
    sizes, held_out : sequence of int
        Rows of each partition to train on and to evaluate on.
    """
    if declaration.policy == "structural":
        return Structural()
    averaging = innermost(strategy)
    loss: str = getattr(averaging, "train_loss_key", "")
    declared = replace(
        declaration,
        losses=tuple(sorted({*declaration.losses, *([loss] if loss else [])})),
        weighted_by=getattr(averaging, "weighted_by_key", WEIGHT),
    )
    return Strict(sizes, held_out, declared)


def _trained_rows(round_: FederatedRound, setting: Setting, client: Client) -> int | None:
    """Return how many rows the clients that replied trained on, each counted as often as it was visited."""
    if not client.declaration.visits_all_rows:
        return None
    sizes = setting.slices.training_sizes[list(round_.client_metrics)]
    return setting.training.local_epochs * int(sizes.sum())


def capture(round_: FederatedRound, strategy: Strategy, grid: OpenGrid) -> dict[str, NDArray[Any]]:
    """Return all that the rounds after this one depend on, in arrays that do not change any more."""
    return joined({"model": round_.arrays, "strategy": state_of(strategy), "grid": grid.state()})


def times(round_: FederatedRound) -> dict[str, float]:
    """Return the seconds of a round: four spans that follow one another, and what lies beside them.

    Dispatch ends when the first actor starts, training when the last one ends, collection when all replies
    are decoded and admitted. Aggregation is what is left of it then: while actors train, it takes no time of
    its own. `busy` and `idle` are worker-seconds within the four.
    """
    exchange, spans = round_.exchange, round_.spans
    if exchange is None:  # an engine does not tell when clients worked
        spans = {**spans, "dispatch": spans["configure"], "training": spans["exchange"]}
        return {span: spans[span] for span in ("dispatch", "training", "aggregation", "evaluation")}
    seconds = {"dispatch": spans["configure"] + spans["exchange"], "training": 0.0, "collection": 0.0}
    busy = 0.0
    if exchange.handlings:
        first = min(handling.started for handling in exchange.handlings)
        last = max(handling.ended for handling in exchange.handlings)
        before, training = first - exchange.started, last - first
        busy = sum(handling.seconds for handling in exchange.handlings)
        seconds = {
            "dispatch": spans["configure"] + before,
            "training": training,
            "collection": spans["exchange"] - before - training,
        }
        aggregation = sum(max(0.0, end - max(start, last)) for start, end in round_.averaging)
        seconds["collection"] -= aggregation
        seconds["aggregation"] = aggregation
    seconds["aggregation"] = seconds.get("aggregation", 0.0) + spans["aggregation"]
    idle = max(0.0, exchange.workers * sum(seconds.values()) - busy)
    return {**seconds, "evaluation": spans["evaluation"], "busy": busy, "idle": idle}


def as_round(round_: FederatedRound, seconds: dict[str, float]) -> Round:
    """Return a round as the results room records it."""
    actors = {actor: phases.of_actor("train", reported) for actor, reported in round_.client_metrics.items()}
    for actor, reported in round_.client_evaluations.items():
        actors[actor] = {**actors.get(actor, {}), **phases.of_actor("client", reported)}
    if round_.exchange:
        started = round_.exchange.started - round_.spans["configure"]
        for handling in round_.exchange.handlings:
            if handling.partition in actors:
                actors[handling.partition] |= {
                    "seconds": handling.seconds,
                    "started": handling.started - started,
                    "worker": handling.worker,
                }
    metrics = {
        **phases.of_phase("train", round_.train_metrics),
        **phases.of_phase("client", round_.evaluate_metrics),
        **phases.of_model(round_.server_metrics),
        **_available(round_),
    }
    return Round(round_.number, seconds, metrics, actors, errors(round_), absent=_absent(round_))


def errors(round_: FederatedRound) -> tuple[MessageError, ...]:
    """Return the errors of both phases, training first, actors in ascending order."""
    trained = [MessageError(actor, "train", reason) for actor, reason in sorted(round_.errors.items())]
    evaluated = sorted(round_.evaluation_errors.items())
    return (*trained, *(MessageError(actor, "client", reason) for actor, reason in evaluated))


def _available(round_: FederatedRound) -> dict[str, float]:
    return {"available": float(round_.presence.available.sum())} if round_.presence else {}


def _absent(round_: FederatedRound) -> dict[int, str]:
    """Return which actors were away or left in mid-round; of very many, only the number is recorded."""
    if round_.presence is None or len(round_.presence.available) > MOST_LISTED:
        return {}
    there, lost = round_.presence
    away = dict.fromkeys(np.flatnonzero(~there).tolist(), "away")
    return away | dict.fromkeys(np.flatnonzero(there & lost).tolist(), "left")
