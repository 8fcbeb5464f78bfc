"""Strategies of Flower's older API: their results come in no order, and are sorted by node here.

Flower's old server asks each client in a thread, and collects the results from a set, that is, by the
addresses of objects; sums, and so the model's last bits, would differ from run to run.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from flwr.serverapp import ServerApp

from fedlocal.flower.compat.private import legacy_strategies


def in_node_order(app: ServerApp) -> AbstractContextManager[None]:
    """Have an app's older strategy, if it has one, see its results sorted by node in the block."""
    return legacy_strategies(app, _sort)


def _sort(strategy: Any) -> None:
    """Sort what a strategy aggregates, unless that is done already."""
    for name in ("aggregate_fit", "aggregate_evaluate"):
        method = getattr(strategy, name)
        if getattr(method, "func", None) is not _in_order:
            object.__setattr__(strategy, name, partial(_in_order, method))  # some are frozen


def _in_order(aggregate: Callable[..., Any], server_round: int, results: Any, failures: Any) -> Any:
    return aggregate(server_round, sorted(results, key=lambda result: int(result[0].node_id)), failures)
