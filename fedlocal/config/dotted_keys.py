"""Nested mappings as one, by dotted keys."""

from collections.abc import Iterator, Mapping
from typing import Any


def dotted(node: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what stands in nested mappings, by dotted keys; of an empty one nothing.

    Examples
    --------
    >>> dict(dotted({"actors": 4, "model": {"hidden": [8, 8], "loss": None}}))
    {'actors': 4, 'model.hidden': [8, 8], 'model.loss': None}
    """
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
