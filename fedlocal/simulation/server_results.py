"""What a server app evaluates itself, and what it ends with: as messages do not tell, its calls are heard."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import wraps
from inspect import signature
from typing import Any

from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.common import parameters_to_ndarrays
from flwr.server import History, Server
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from fedlocal.flower.messages.arrays import ndarrays

OlderHistory = History

Note = Callable[[int, Mapping[str, float], float], None]
"""Told the round, the metrics, and how many seconds it took."""


class Final:
    """The model that a strategy, or an older server, ended with last, and that server's history."""

    record: ArrayRecord | None = None
    history: OlderHistory | None = None

    def arrays(self, context: Context) -> Mapping[str, NDArray[Any]]:
        """Return the final arrays by name; if no strategy has any, those in the server app's state.

        Raises
        ------
        ArrayError
            If they are not arrays of NumPy's.
        """
        if self.record is not None:
            return ndarrays(self.record)
        kept = context.state.array_records.items()
        return {f"{key}/{name}": array for key, record in kept for name, array in ndarrays(record).items()}


@contextmanager
def listening(note: Note) -> Iterator[Final]:
    """Take note of what strategies and older servers evaluate and return in the block.

    Parameters
    ----------
    note : callable
        Told of what ``evaluate_fn``, and the ``evaluate`` of older strategies, return.
    """
    final, start, fit = Final(), Strategy.start, Server.fit

    @wraps(start)
    def started(*args: Any, **kwargs: Any) -> Any:
        bound = signature(start).bind(*args, **kwargs)
        if evaluate := bound.arguments.get("evaluate_fn"):
            bound.arguments["evaluate_fn"] = _noted(evaluate, note)
        result = start(*bound.args, **bound.kwargs)
        final.record = result.arrays
        return result

    @wraps(fit)
    def fitted(self: Server, *args: Any, **kwargs: Any) -> Any:
        result = fit(self, *args, **kwargs)
        final.history = result[0]
        final.record = ArrayRecord(parameters_to_ndarrays(self.parameters))
        return result

    methods = {(Strategy, "start"): started, (Server, "fit"): fitted}
    for name in ("add_loss_centralized", "add_metrics_centralized"):
        methods[OlderHistory, name] = _adding(getattr(OlderHistory, name), note)
    with ExitStack() as stack:
        for (owner, name), method in methods.items():
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, method)
        yield final


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
        metrics = evaluate(server_round, arrays)
        note(server_round, _numbers(metrics or {}), time.perf_counter() - begun)
        return metrics

    return noted


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}
