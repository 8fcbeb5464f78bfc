"""Rounds of messages, turned into rounds as the results room records them."""

from collections.abc import Mapping, Sequence

import numpy as np

from fedlocal.flower.grid.local_grid import Handling
from fedlocal.flower.grid.recording_grid import Phase, RecordedRound
from fedlocal.results import MessageError, Round, Work, phases

PHASES: Mapping[str, phases.Phase] = {"train": "train", "evaluate": "client"}
ROWS = "num-examples"


def as_round(messages: RecordedRound) -> Round:
    """Return a round of messages as the results room records it.

    Between the messages of one kind and those of the next, the server app works: that is its aggregation.
    """
    by_kind = messages.phases
    actors: dict[int, dict[str, float]] = {}
    work: list[Work] = []
    seconds, metrics = dict[str, float](), dict[str, float]()
    start = min((phase.started for phase in by_kind.values() if phase.started), default=0.0)
    for kind, phase in by_kind.items():
        name = phase_name(kind)
        for partition, reported in phase.metrics.items():
            actors.setdefault(partition, {}).update(phases.of_actor(name, _with_row_key(reported)))
        metrics |= phases.of_phase(
            name, _means([_with_row_key(reported) for reported in phase.metrics.values()])
        )
        for span, value in _spans(phase).items():
            seconds[span] = seconds.get(span, 0.0) + value
        work += [_work(handling, start) for handling in phase.handlings]
    metrics |= phases.of_model(messages.central)
    ended = max((phase.ended for phase in by_kind.values()), default=start)
    seconds["aggregation"] = max(0.0, ended - start - sum(seconds.values()))
    busy = sum(item.seconds for item in work)
    seconds |= {
        "evaluation": messages.evaluation,
        "busy": busy,
        "idle": max(0.0, messages.workers * sum(seconds.values()) - busy),
    }
    errors = tuple(
        MessageError(error.partition, phase_name(error.message_type), error.reason)
        for error in messages.errors
    )
    return Round(messages.number, seconds, metrics, actors, errors, work)


def _work(handling: Handling, start: float) -> Work:
    """Return the part of a handling that is after `start`."""
    started, ended = max(handling.started, start), max(handling.ended, start)
    return Work(handling.partition, handling.worker, started - start, ended - started)


def _spans(phase: Phase) -> dict[str, float]:
    if not phase.handlings:
        return {"collection": phase.ended - phase.started}
    first = max(phase.started, min(handling.started for handling in phase.handlings))
    last = max(first, max(handling.ended for handling in phase.handlings))
    return {"dispatch": first - phase.started, "training": last - first, "collection": phase.ended - last}


def phase_name(message_type: str) -> phases.Phase:
    """Return the phase of a message, of any action, in the words of the results room."""
    return PHASES.get(message_type.partition(".")[0], "query")


def _with_row_key(reported: Mapping[str, float]) -> dict[str, float]:
    """Return a client's metrics with its rows under `ROWS`; older apps spell that key otherwise."""
    return {ROWS if name == "num_examples" else name: value for name, value in reported.items()}


def _means(clients: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the metrics, averaged over the clients that reported them, by rows where all have rows."""
    names = sorted({name for client in clients for name in client} - {ROWS})
    return {name: _mean([client for client in clients if name in client], name) for name in names}


def _mean(clients: Sequence[Mapping[str, float]], name: str) -> float:
    rows = [client[ROWS] for client in clients if client.get(ROWS) is not None]
    weighted = len(rows) == len(clients) and sum(rows) > 0  # clients without rows count alike
    return float(np.average([client[name] for client in clients], weights=rows if weighted else None))
