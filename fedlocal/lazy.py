"""Public names that are imported when they are first used, so that a room with many of them costs nothing.

This module imports nothing itself: it is loaded before `fedlocal.__main__` has seen to the path.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def lazy_attributes(module: str) -> "tuple[Callable[[str], Any], Callable[[], list[str]]]":
    """Return what a module's ``__getattr__`` and ``__dir__`` are to be (PEP 562).

    A public name stands in the module once, below ``if TYPE_CHECKING`` as ``from home import defined as
    public``: type checkers and editors read it there, and so do these functions, which give ``__all__``, too.

    Parameters
    ----------
    module : str
        The module's ``__name__``.
    """
    addresses: dict[str, tuple[str, str]] = {}

    def get(name: str) -> "Any":
        from importlib import import_module

        if not addresses:
            addresses.update(_addresses(module))
        if name == "__all__":
            return sorted(addresses)
        if name not in addresses:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, defined = addresses[name]
        return getattr(import_module(home), defined)

    def names() -> list[str]:
        import sys

        return sorted({*vars(sys.modules[module]), *get("__all__")})

    return get, names


def _addresses(module: str) -> dict[str, tuple[str, str]]:
    """Return by its public names what a module imports under them, and from where."""
    import ast
    import sys

    source = sys.modules[module].__spec__.loader.get_source(module)  # type: ignore[union-attr]
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return {
        name.asname: (node.module or "", name.name) for node in imports for name in node.names if name.asname
    }
