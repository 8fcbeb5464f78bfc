"""What a server app evaluates itself: its messages do not tell, so its strategy is listened to."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from typing import Any

from flwr.app import MetricRecord
from flwr.server import History as OlderHistory
from flwr.serverapp.strategy import Strategy

Note = Callable[[int, Mapping[str, float], float], None]
"""Told the round, the metrics, and how many seconds it took."""


@contextmanager
def central_evaluations(note: Note) -> Iterator[None]:
    """Tell of what ``evaluate_fn`` and the ``evaluate`` of older strategies return in the block."""
    replaced = {
        (Strategy, "start"): _starting(Strategy.start, note),
        (OlderHistory, "add_loss_centralized"): _adding(OlderHistory.add_loss_centralized, note),
        (OlderHistory, "add_metrics_centralized"): _adding(OlderHistory.add_metrics_centralized, note),
    }
    before = {place: getattr(*place) for place in replaced}
    for (owner, name), method in replaced.items():
        setattr(owner, name, method)
    try:
        yield
    finally:
        for (owner, name), method in before.items():
            setattr(owner, name, method)


def _starting(start: Callable[..., Any], note: Note) -> Callable[..., Any]:
    @wraps(start)
    def started(*args: Any, **kwargs: Any) -> Any:
        bound = signature(start).bind(*args, **kwargs)
        if evaluate := bound.arguments.get("evaluate_fn"):
            bound.arguments["evaluate_fn"] = _noted(evaluate, note)
        return start(*bound.args, **bound.kwargs)

    return started


def _adding(add: Callable[..., None], note: Note) -> Callable[..., None]:
    """Return a method of an older server's history that tells of what it is given: a loss, or metrics."""

    @wraps(add)
    def added(history: OlderHistory, server_round: int, *args: Any, **kwargs: Any) -> None:
        (given,) = (*args, *kwargs.values())
        note(server_round, _numbers(given if isinstance(given, Mapping) else {"loss": given}), 0.0)
        add(history, server_round, given)

    return added


def _noted(evaluate: Callable[[int, Any], MetricRecord | None], note: Note) -> Any:
    @wraps(evaluate)
    def noted(server_round: int, arrays: Any) -> MetricRecord | None:
        begun = time.perf_counter()
        found = evaluate(server_round, arrays)
        note(server_round, _numbers(found or {}), time.perf_counter() - begun)
        return found

    return noted


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}
