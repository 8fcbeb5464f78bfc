"""Nested mappings as a flat one, by dotted keys."""

from collections.abc import Iterator, Mapping
from typing import Any


def flat_items(node: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings by dotted keys; nothing for an empty mapping.

    Examples
    --------
    >>> dict(flat_items({"actors": 4, "model": {"hidden": [8, 8], "loss": None}}))
    {'actors': 4, 'model.hidden': [8, 8], 'model.loss': None}
    """
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from flat_items(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
