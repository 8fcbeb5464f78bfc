"""Completion with TAB beside Hydra's own, which knows groups and options, but neither verbs nor folders."""

import glob
import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from fedlocal.cli.options import Verb, choices


def asks_for_words(arguments: Sequence[str]) -> bool:
    """Tell whether a shell asks what could come next, as ``fedlocal -sc query=bash`` does."""
    return len(arguments) == 2 and arguments[0] in ("-sc", "--shell-completion") and "query=" in arguments[1]


def words(line: str, verbs: Collection[str], verb_of: Callable[[str], Verb[Any]]) -> tuple[list[str], bool]:
    """Find what could stand at the end of a command line, which has the command's name and what is typed.

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
        verb = verb_of(before[0])
        known = verb.words(before[1:], word)
        files = not known if "=" in word else verb.positional
        return [*known, *(_paths(word) if files else ())], True
    if word.startswith("resume="):
        return _paths(word), True
    key, equals, start = word.partition("=")
    if equals and (values := _values(key, before)):
        return [f"{key}={value}" for value in values if value.startswith(start)], True
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
    return choices(types.get(name))


def _paths(word: str) -> list[str]:
    """Return the files and folders that what follows the last ``=`` begins, folders with a slash."""
    key, equals, start = word.rpartition("=")
    paths = sorted(glob.glob(f"{glob.escape(start)}*"))  # noqa: PTH207 - pathlib drops a leading ./
    return [f"{key}{equals}{path}{os.sep if Path(path).is_dir() else ''}" for path in paths]
