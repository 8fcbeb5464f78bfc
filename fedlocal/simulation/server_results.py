"""The evaluations and the final model of a server app, taken from its calls: no message carries them."""

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

OnEvaluation = Callable[[int, Mapping[str, float], float], None]
"""Called with the round, its metrics, and the seconds that the evaluation took."""


class ServerResults:
    """The last model of a strategy or of an older server, and that server's history."""

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
        records = context.state.array_records.items()
        return {f"{key}/{name}": array for key, record in records for name, array in ndarrays(record).items()}


@contextmanager
def observed_server(on_evaluation: OnEvaluation) -> Iterator[ServerResults]:
    """Observe the results of strategies and older servers in the block, and all their evaluations."""
    results, start, fit = ServerResults(), Strategy.start, Server.fit

    @wraps(start)
    def started(*args: Any, **kwargs: Any) -> Any:
        bound = signature(start).bind(*args, **kwargs)
        if evaluate := bound.arguments.get("evaluate_fn"):
            bound.arguments["evaluate_fn"] = _observed(evaluate, on_evaluation)
        result = start(*bound.args, **bound.kwargs)
        results.record = result.arrays
        return result

    @wraps(fit)
    def fitted(self: Server, *args: Any, **kwargs: Any) -> Any:
        result = fit(self, *args, **kwargs)
        results.history = result[0]
        results.record = ArrayRecord(parameters_to_ndarrays(self.parameters))
        return result

    methods = {(Strategy, "start"): started, (Server, "fit"): fitted}
    for name in ("add_loss_centralized", "add_metrics_centralized"):
        methods[OlderHistory, name] = _observed_history(getattr(OlderHistory, name), on_evaluation)
    with ExitStack() as stack:
        for (owner, name), method in methods.items():
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, method)
        yield results


def _observed_history(add: Callable[..., None], on_evaluation: OnEvaluation) -> Callable[..., None]:
    """Return a method of an older server's history that passes its loss or metrics on."""

    @wraps(add)
    def added(history: OlderHistory, server_round: int, *args: Any, **kwargs: Any) -> None:
        (value,) = (*args, *kwargs.values())
        metrics = value if isinstance(value, Mapping) else {"loss": value}
        on_evaluation(server_round, _numbers(metrics), 0.0)
        add(history, server_round, value)

    return added


def _observed(evaluate: Callable[[int, Any], MetricRecord | None], on_evaluation: OnEvaluation) -> Any:
    @wraps(evaluate)
    def observed(server_round: int, arrays: Any) -> MetricRecord | None:
        started = time.perf_counter()
        metrics = evaluate(server_round, arrays)
        on_evaluation(server_round, _numbers(metrics or {}), time.perf_counter() - started)
        return metrics

    return observed


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}
