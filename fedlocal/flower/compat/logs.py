"""Flower's log, quiet: its warnings and errors reach the root logger, once; its information does not."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

EXPECTED = (
    "fraction_evaluate is set to 0.0",  # fedlocal's default: evaluation is central
    "DEPRECATED FEATURE: The `run_simulation`",  # which backend=ray stands for
)


def _unexpected(record: logging.LogRecord) -> bool:
    return not record.getMessage().strip().startswith(EXPECTED)


@contextmanager
def quiet() -> Iterator[None]:
    """Have Flower log warnings only, through the root logger, for the time of the context.

    Contexts may lie within one another, as those of a federation within a client do.
    """
    logger = logging.getLogger("flwr")
    outermost = _unexpected not in logger.filters
    before = logger.level, logger.propagate, logger.handlers[:]
    logger.setLevel(logging.WARNING)
    logger.propagate = True
    logger.handlers.clear()
    logger.addFilter(_unexpected)
    try:
        yield
    finally:
        if outermost:
            logger.removeFilter(_unexpected)
        logger.level, logger.propagate, logger.handlers[:] = before
