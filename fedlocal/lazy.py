"""Public names that are imported when they are first used, so that a room with many of them costs nothing.

This module imports nothing itself: it is loaded before `fedlocal.__main__` has seen to the path.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def lazy_attributes(
    module: str, homes: "Mapping[str, str]"
) -> "tuple[Callable[[str], Any], Callable[[], list[str]]]":
    """Return what a module's ``__getattr__`` and ``__dir__`` are to be (PEP 562).

    Parameters
    ----------
    module : str
        The module's ``__name__``.
    homes : mapping of str to str
        The module that defines each public name; ``"module:name"`` where the name there is another.
    """

    def get(name: str) -> "Any":
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        from importlib import import_module

        home, _, name_there = homes[name].partition(":")
        return getattr(import_module(home), name_there or name)

    def names() -> list[str]:
        import sys

        return sorted({*vars(sys.modules[module]), *homes})

    return get, names
