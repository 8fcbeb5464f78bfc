"""What was seen of a round, as the results room records it."""

from collections.abc import Mapping, Sequence

import numpy as np

from fedlocal.flower.grid.local_grid import Handling
from fedlocal.flower.grid.recording_grid import Phase, RecordedRound
from fedlocal.results import MessageError, Round, Work, phases

PHASES: Mapping[str, phases.Phase] = {"train": "train", "evaluate": "client"}
ROWS = "num-examples"


def as_round(watched: RecordedRound) -> Round:
    """Return a round as the results room records it.

    Between the messages of one kind and those of the next, the server app works: that is its aggregation.
    """
    seen = watched.phases
    actors: dict[int, dict[str, float]] = {}
    work: list[Work] = []
    seconds, metrics = dict[str, float](), dict[str, float]()
    start = min((phase.started for phase in seen.values() if phase.started), default=0.0)
    for kind, phase in seen.items():
        asked = asked_for(kind)
        for partition, reported in phase.metrics.items():
            actors.setdefault(partition, {}).update(phases.of_actor(asked, _told(reported)))
        metrics |= phases.of_phase(asked, _means([_told(reported) for reported in phase.metrics.values()]))
        for span, value in _spans(phase).items():
            seconds[span] = seconds.get(span, 0.0) + value
        work += [_work(handling, start) for handling in phase.handlings]
    metrics |= phases.of_model(watched.central)
    ended = max((phase.ended for phase in seen.values()), default=start)
    seconds["aggregation"] = max(0.0, ended - start - sum(seconds.values()))
    busy = sum(one.seconds for one in work)
    seconds |= {
        "evaluation": watched.evaluation,
        "busy": busy,
        "idle": max(0.0, watched.workers * sum(seconds.values()) - busy),
    }
    errors = tuple(
        MessageError(error.partition, asked_for(error.message_type), error.reason) for error in watched.errors
    )
    return Round(watched.number, seconds, metrics, actors, errors, work)


def _work(handling: Handling, start: float) -> Work:
    """Return the part of a handling that is after `start`."""
    begun, ended = max(handling.started, start), max(handling.ended, start)
    return Work(handling.partition, handling.worker, begun - start, ended - begun)


def _spans(phase: Phase) -> dict[str, float]:
    if not phase.handlings:
        return {"collection": phase.ended - phase.started}
    first = max(phase.started, min(one.started for one in phase.handlings))
    last = max(first, max(one.ended for one in phase.handlings))
    return {"dispatch": first - phase.started, "training": last - first, "collection": phase.ended - last}


def asked_for(message_type: str) -> phases.Phase:
    """Return the phase of a message, of any action, in the words of the results room."""
    return PHASES.get(message_type.partition(".")[0], "query")


def _told(reported: Mapping[str, float]) -> dict[str, float]:
    """Return what a client reported; older apps spell the number of its rows otherwise."""
    return {ROWS if name == "num_examples" else name: value for name, value in reported.items()}


def _means(clients: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each metric on average over who reported it, weighted by rows where all of them told these."""
    names = sorted({name for client in clients for name in client} - {ROWS})
    return {name: _mean([client for client in clients if name in client], name) for name in names}


def _mean(clients: Sequence[Mapping[str, float]], name: str) -> float:
    weights = [client.get(ROWS) for client in clients]
    told = [weight for weight in weights if weight is not None]
    weighted = len(told) == len(clients) and sum(told) > 0  # clients without rows count alike
    return float(np.average([client[name] for client in clients], weights=told if weighted else None))
