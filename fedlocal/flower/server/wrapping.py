"""Strategies around others, as Flower's for differential privacy: the inner one samples and averages."""

from typing import Any


def wrapped(strategy: object) -> Any:
    """Return the strategy around which a strategy is, its attribute ``strategy``; None if there is none."""
    inner = getattr(strategy, "strategy", None)
    return inner if hasattr(inner, "aggregate_train") else None  # it may be an option of that name


def innermost(strategy: Any) -> Any:
    """Return the strategy that samples clients and averages: the one within, or the strategy itself."""
    while (inner := wrapped(strategy)) is not None:
        strategy = inner
    return strategy
