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
        By the modules that define them, the public names, with spaces between them; ``public=defined`` where
        a module has another name for what is public.
    """
    addresses = {
        name.partition("=")[0]: (home, name.rpartition("=")[2])
        for home in homes
        for name in homes[home].split()
    }

    def get(name: str) -> "Any":
        if name not in addresses:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        from importlib import import_module

        home, defined = addresses[name]
        return getattr(import_module(home), defined)

    def names() -> list[str]:
        import sys

        return sorted({*vars(sys.modules[module]), *addresses})

    return get, names
