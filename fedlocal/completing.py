"""Completion with TAB beside Hydra's own, which knows groups and options, but neither verbs nor folders."""

import glob
import os
from collections.abc import Collection, Sequence
from pathlib import Path


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
    first = [] if before else [*verbs, "resume="]
    return [each for each in first if each.startswith(word)], False


def _paths(word: str) -> list[str]:
    """Return the files and folders that what follows the last ``=`` begins, folders with a slash."""
    key, equals, start = word.rpartition("=")
    found = sorted(glob.glob(f"{glob.escape(start)}*"))  # noqa: PTH207 - pathlib drops a leading ./
    return [f"{key}{equals}{path}{os.sep if Path(path).is_dir() else ''}" for path in found]
