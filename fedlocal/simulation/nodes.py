"""The number of clients of a Flower app, read from the files in which Flower keeps it."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fedlocal.config.dotted_keys import flat_items

DEFAULT = 2  # of Flower, since 1.32
KEY = "num-supernodes"


class Nodes(NamedTuple):
    """A number of clients."""

    number: int
    source: str  # the place that sets it, for people to read


def nodes_of(pyproject: Path, flower: Mapping[str, Any]) -> Nodes:
    """Return the number of clients of an app, which older apps set themselves.

    ``flwr run`` moves it from there into Flower's own configuration, which all apps of a user share.
    """
    return (
        _of_default(flower.get("federations"), "tool.flwr.federations", pyproject)
        or _of_default(_configuration().get("superlink"), "superlink", _path())
        or Nodes(DEFAULT, "Flower's default; num_supernodes=… says another")
    )


def unused_of(flower: Mapping[str, Any]) -> dict[str, object]:
    """Return the options of the default federation that Flower's engine alone uses, by their names."""
    options = _options(flower.get("federations") or _configuration().get("superlink"))
    return {name: value for name, value in flat_items(options) if name != KEY}


def _of_default(node: object, name: str, path: Path) -> Nodes | None:
    """Return the number that the default entry of a table sets."""
    number = _options(node).get(KEY)
    if isinstance(node, dict) and isinstance(number, int) and not isinstance(number, bool) and number > 0:
        return Nodes(number, f"{KEY} of [{name}.{node['default']}] in {path}")
    return None


def _options(node: object) -> dict[str, Any]:
    """Return the options of the default entry of a table; none where it is no table of that form."""
    for key in (node.get("default") if isinstance(node, dict) else None, "options"):
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def _path() -> Path:
    return Path(os.environ.get("FLWR_HOME") or Path.home() / ".flwr", "config.toml")


def _configuration() -> dict[str, Any]:
    """Return Flower's own configuration; nothing where it is missing, or Flower could not read it either."""
    try:
        return tomllib.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):  # the last one where there is no home
        return {}
