"""A configuration as plain data: nested mappings, or a flat one by dotted keys."""

from collections.abc import Iterator, Mapping
from typing import Any


def as_plain(config: Any, *, resolve: bool = True) -> Any:
    """Return a configuration, or a part of it, as mappings, lists and values; enumerations as their names.

    Parameters
    ----------
    config : Config or DictConfig
        As OmegaConf holds it.
    resolve : bool
        Whether ``${…}`` becomes the value that it refers to.
    """
    from omegaconf import OmegaConf  # imported late: what reads plain files needs none

    return OmegaConf.to_container(config, resolve=resolve, enum_to_str=True)


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
