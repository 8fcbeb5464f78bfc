"""A Flower app as a folder, described by its ``pyproject.toml``."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedlocal.config.dotted_keys import flat_items
from fedlocal.simulation.nodes import Nodes, nodes_of, unused_of

_PLAIN = (bool, int, float, str)

Value = bool | int | float | str


class ProjectError(ValueError):
    """A folder is not that of a Flower app, or cannot be run as asked."""


@dataclass(frozen=True)
class Project:
    """A Flower app."""

    folder: Path  # from which its modules are imported
    name: str
    server_app: str
    client_app: str
    config: Mapping[str, Value]  # defaults of its run configuration; keys of tables are joined by dots
    nodes: Nodes
    unused: Mapping[str, object] = field(default_factory=dict)  # options that only Flower's engine uses

    def configured(self, overrides: Sequence[str]) -> dict[str, Value]:
        """Return the run configuration with overrides as ``flwr run -c`` takes them.

        Parameters
        ----------
        overrides : sequence of str
            Lines of ``key=value`` pairs, values as in TOML, ``"lr=0.1 name='a b'"``, or paths of TOML files.

        Raises
        ------
        ProjectError
            If an override does not parse, or the app has no such key.
        """
        config = dict(self.config)
        for override in overrides:
            for key, value in _flat(_parsed(override)).items():
                if key not in config:
                    keys = ", ".join(config) or "none"
                    raise ProjectError(
                        f"run_config={override!r}: the app's configuration has no {key!r}; keys: {keys}"
                    )
                config[key] = value
        return config


def project_at(folder: Path) -> Project:
    """Read the Flower app in a folder.

    Raises
    ------
    ProjectError
        If there is none.
    """
    path = folder / "pyproject.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectError(
            f"{path} cannot be read: {error.strerror}; give the folder of a Flower app"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"{path} is not TOML: {error}") from error
    flower = _table(content, "tool", "flwr")
    components = _table(flower, "app", "components")
    missing = [name for name in ("serverapp", "clientapp") if not isinstance(components.get(name), str)]
    if missing:
        raise ProjectError(
            f"{path} has no {missing[0]} in [tool.flwr.app.components]: it is not a Flower app's"
        )
    return Project(
        folder=folder.resolve(),
        name=str(_table(content, "project").get("name", folder.resolve().name)),
        server_app=components["serverapp"],
        client_app=components["clientapp"],
        config=_flat(_table(flower, "app", "config")),
        nodes=nodes_of(path, flower),
        unused=unused_of(flower),
    )


def _table(node: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        below = node.get(name)
        node = below if isinstance(below, dict) else {}
    return node


def _flat(node: Mapping[str, Any]) -> dict[str, Value]:
    flat = dict(flat_items(node))
    for key, value in flat.items():
        if not isinstance(value, _PLAIN):
            raise ProjectError(f"{key} is {value!r}; a run configuration has booleans, numbers and text")
    return flat


def _parsed(override: str) -> dict[str, Any]:
    try:
        if override.endswith(".toml"):
            return tomllib.loads(Path(override).expanduser().read_text(encoding="utf-8"))
        return tomllib.loads("\n".join(_pairs(override)))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ProjectError(
            f"run_config={override!r} is not understood ({error}); "
            "write run_config=\"key=1 other='text'\" or a .toml's path"
        ) from error


def _pairs(line: str) -> Iterator[str]:
    """Cut a line at the spaces that are outside of quotes."""
    word, quote = "", ""
    for letter in line:
        if letter == quote:
            quote = ""
        elif not quote and letter in "'\"":
            quote = letter
        if letter.isspace() and not quote:
            if word:
                yield word
            word = ""
        else:
            word += letter
    if word:
        yield word
