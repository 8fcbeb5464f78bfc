"""Strategies around others, as Flower's for differential privacy: the inner one samples and averages."""

from typing import Any


def wrapped(strategy: object) -> Any:
    """Return the strategy around which a strategy is, its attribute ``strategy``; None if there is none."""
    return getattr(strategy, "strategy", None)


def innermost(strategy: Any) -> Any:
    """Return the strategy that samples clients and averages: the one within, or the strategy itself."""
    while (inner := wrapped(strategy)) is not None:
        strategy = inner
    return strategy
