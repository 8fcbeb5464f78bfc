"""Private names of other libraries: what is relied on of each, and what of fedlocal depends on it."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from typing import Any


@dataclass(frozen=True)
class PrivateName:
    """A name that may change with any version of its library.

    Parameters
    ----------
    name : str
        With its module, as somebody would search for it.
    holds : callable
        Tells whether it is still there, and is what is relied on.
    needed_for : str
        What of fedlocal fails without it, and where.
    """

    name: str
    holds: Callable[[], bool] = field(repr=False)
    needed_for: str = field(repr=False)

    def check(self, version: str) -> None:
        """Fail unless it is as before; the message says which name of which version broke, and what for."""
        try:
            reason = "" if self.holds() else "it is not what it was"
        except Exception as error:  # noqa: BLE001 - whatever a name that changed makes of it
            reason = f"{type(error).__name__}: {error}"
        assert not reason, f"{version} broke {self.name}, which is needed for {self.needed_for}: {reason}"


def by_name(private: PrivateName) -> str:
    """Return what a test with this name is called."""
    return private.name


def located(module: str, path: str) -> Any:
    """Return an object by its module and its path in it."""
    value: Any = import_module(module)
    for name in path.split("."):
        value = getattr(value, name)
    return value


def takes(function: Any, *parameters: str) -> bool:
    """Tell whether a function has these parameters."""
    return {*parameters} <= signature(function).parameters.keys()


def said(code: str) -> list[str]:
    """Return the words that a new process prints, which must end in good order."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode or done.stderr:
        raise AssertionError(done.stderr or f"the process ended with {done.returncode}")
    return done.stdout.split()
