"""Completion with TAB beside Hydra's own, which knows groups and options, but neither verbs nor folders."""

import glob
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints


def asks_for_words(arguments: Sequence[str]) -> bool:
    """Tell whether a shell asks what could come next, as ``fedlocal -sc query=bash`` does."""
    return len(arguments) == 2 and arguments[0] in ("-sc", "--shell-completion") and "query=" in arguments[1]


def words(line: str, verbs: Collection[str]) -> tuple[list[str], bool]:
    """Find what could stand at the end of a command line.

    Parameters
    ----------
    line : str
        As typed so far, the command's name first.
    verbs : collection of str
        What may come first instead of options.

    Returns
    -------
    words : list of str
        Those that Hydra does not know.
    complete : bool
        Whether Hydra is not to be asked for more: it would not understand the line.
    """
    _, *before = line.split()
    word = before.pop() if before and not line[-1].isspace() else ""
    if before and before[0] in verbs:
        return _paths(word), True
    if word.startswith("resume="):
        return _paths(word), True
    key, equals, start = word.partition("=")
    if equals and (choices := _values(key, before)):
        return [f"{key}={choice}" for choice in choices if choice.startswith(start)], True
    first = [] if before else [*verbs, "resume="]
    return [choice for choice in first if choice.startswith(word)], False


def _values(key: str, before: Sequence[str]) -> list[str]:
    """Return the values that an option can have, if these are few: Hydra would offer the one that it has."""
    from fedlocal.config.compose import compose  # imports Hydra
    from fedlocal.config.schema import Config
    from fedlocal.config.signatures import parameter_types

    group, _, name = key.lstrip("+").rpartition(".")
    types: dict[str, Any] = get_type_hints(Config)
    for part in filter(None, group.split(".")):
        if is_dataclass(types.get(part)):
            types = get_type_hints(types[part])
        else:
            with suppress(Exception):  # the line may not be whole yet
                config: Any = compose(*(word for word in before if "=" in word))
                types = parameter_types(config[group]["_target_"])
            break
    return _choices(types.get(name))


def _choices(kind: Any) -> list[str]:
    """Return the values of a type that has few."""
    if kind is bool:
        return ["true", "false"]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [member.name for member in kind]
    if get_origin(kind) is Literal:
        return list(map(str, get_args(kind)))
    return []


def _paths(word: str) -> list[str]:
    """Return the files and folders that what follows the last ``=`` begins, folders with a slash."""
    key, equals, start = word.rpartition("=")
    paths = sorted(glob.glob(f"{glob.escape(start)}*"))  # noqa: PTH207 - pathlib drops a leading ./
    return [f"{key}{equals}{path}{os.sep if Path(path).is_dir() else ''}" for path in paths]
