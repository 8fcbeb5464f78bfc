"""What was seen of a round, as the results room records it."""

from collections.abc import Mapping

import numpy as np

from fedlocal.flower.watched import Phase, Watched
from fedlocal.results import Round, Work


def as_round(watched: Watched) -> Round:
    """Return a round as the results room records it.

    Between the messages of one kind and those of the next, the server app works: that is its aggregation.
    """
    phases = watched.phases
    actors: dict[int, dict[str, float]] = {}
    work: list[Work] = []
    seconds, metrics = dict[str, float](), dict[str, float]()
    start = min((phase.begun for phase in phases.values() if phase.begun), default=0.0)
    for kind, phase in phases.items():
        for partition, reported in phase.metrics.items():
            named = {_metric(kind, name): value for name, value in reported.items()}
            actors.setdefault(partition, {}).update(named)
        metrics |= _means(kind, phase.metrics)
        for span, value in _spans(phase).items():
            seconds[span] = seconds.get(span, 0.0) + value
        work += [
            Work(one.partition, one.worker, one.started - start, one.ended - one.started)
            for one in phase.handlings
        ]
    ended = max((phase.ended for phase in phases.values()), default=start)
    seconds["aggregation"] = max(0.0, ended - start - sum(seconds.values()))
    busy = sum(one.seconds for one in work)
    seconds |= {"busy": busy, "idle": max(0.0, watched.workers * sum(seconds.values()) - busy)}
    errors = {error.partition: error.reason for error in watched.errors}
    return Round(watched.number, seconds, metrics, actors, errors, work)


def _spans(phase: Phase) -> dict[str, float]:
    if not phase.handlings:
        return {"collection": phase.ended - phase.begun}
    first = min(one.started for one in phase.handlings)
    last = max(one.ended for one in phase.handlings)
    return {"dispatch": first - phase.begun, "training": last - first, "collection": phase.ended - last}


def _metric(kind: str, name: str) -> str:
    """Return a client's metric by a name that says when it was reported."""
    name = name.replace("_", "-")
    if kind == "train":
        return name if name.startswith(("train-", "num-")) else f"train-{name}"
    return name if name in ("loss", "accuracy") else f"{kind}-{name}"


def _means(kind: str, reported: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """Return the clients' metrics on average, weighted by ``num-examples`` where all told it."""
    clients = list(reported.values())
    common = set(clients[0]).intersection(*clients[1:]) if clients else set()
    weight = next((name for name in ("num-examples", "num_examples") if name in common), None)
    weights = [client[weight] if weight else 1.0 for client in clients]
    if sum(weights) <= 0:
        return {}
    return {
        _metric(kind, name): float(np.average([client[name] for client in clients], weights=weights))
        for name in sorted(common - {weight})
        if not name.startswith("num")
    }
