"""Strategies of Flower's older API: their results come in no order, and are sorted by node here.

Flower's old server asks each client in a thread, and collects the results from a set, that is, by the
addresses of objects; sums, and so the model's last bits, would differ from run to run.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from flwr.serverapp import ServerApp

from fedlocal.flower.compat.private import legacy_strategies

_AGGREGATES = ("aggregate_fit", "aggregate_evaluate")


def in_node_order(app: ServerApp) -> AbstractContextManager[None]:
    """Have an app's older strategy, if it has one, see its results sorted by node in the block."""
    return legacy_strategies(app, _sort)


def _sort(strategy: Any) -> None:
    """Sort what a strategy aggregates, unless that is done already."""
    for name in _AGGREGATES:
        method = getattr(strategy, name)
        if not isinstance(method, _Sorted):
            object.__setattr__(strategy, name, _Sorted(method))  # some are frozen


class _Sorted:
    """A strategy's method that aggregates results, and sees them in order."""

    def __init__(self, aggregate: Callable[..., Any]) -> None:
        self._aggregate = aggregate

    def __call__(self, server_round: int, results: Any, failures: Any) -> Any:
        return self._aggregate(server_round, sorted(results, key=_node), failures)


def _node(result: Any) -> int:
    client, _ = result
    return int(client.node_id)
