"""What a scheme declares that it can do, so that no other room lists the schemes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from hydra.utils import get_object

from fedlocal.config.schema import ConfigError

Scheme = TypeVar("Scheme", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a scheme can do. A scheme that declares nothing has the defaults: it can do none of it.

    A scheme declares them by ``@Capabilities(has_clients=True)`` above its function or class.

    Parameters
    ----------
    has_clients : bool
        Whether its actors are clients: they may be away, and a client of one's own may answer for them.
    has_server : bool
        Whether a server aggregates with a strategy; malicious clients attack it.
    pilot : str, optional
        For ``actors=auto``, the address of what measures the costs of its rounds: a function of a
        `fedlocal.autotune.federated_pilot.PilotSetting` and of the numbers of actors to choose from, each
        with its ``accumulate``, which returns `fedlocal.autotune.choice.Costs`.
    unused_options : tuple of str
        Options that have no effect on it.
    unused_reason : str
        Why they have none: the rest of a sentence that begins with the scheme's name.
    """

    has_clients: bool = False
    has_server: bool = False
    pilot: str | None = None
    unused_options: tuple[str, ...] = ()
    unused_reason: str = "declares no clients"

    def __call__(self, scheme: Scheme) -> Scheme:
        """Let a scheme declare them."""
        scheme.capabilities = self  # type: ignore[attr-defined]
        return scheme


def capabilities_of(scheme: Any) -> Capabilities:
    """Return what a scheme, or a partial of it, declares that it can do.

    Raises
    ------
    ConfigError
        If it declares something else than `Capabilities`.
    """
    declared = getattr(getattr(scheme, "func", scheme), "capabilities", Capabilities())
    if not isinstance(declared, Capabilities):
        raise ConfigError(
            f"scheme={scheme_name(scheme)}: its attribute capabilities is {declared!r}; declare "
            "fedlocal.schemes.Capabilities(…), or nothing"
        )
    return declared


def scheme_name(scheme: Any) -> str:
    """Return the name of a scheme, or of a partial of it."""
    target = getattr(scheme, "func", scheme)
    return str(getattr(target, "__name__", type(target).__name__))


def other_schemes(capability: str) -> str:
    """Return the rest of a message, which names the presets whose schemes declare a capability."""
    from fedlocal.config.compose import conf_folder

    presets = {path.stem: path.read_text() for path in sorted((conf_folder() / "scheme").glob("*.yaml"))}
    targets = {name: re.findall(r"_target_: (\S+)", text)[0] for name, text in presets.items()}
    able = [name for name in targets if getattr(capabilities_of(get_object(targets[name])), capability)]
    return f"choose another scheme: {', '.join(able)}"
