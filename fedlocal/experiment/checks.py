"""Refusals of what a scheme would ignore: an attack without a server, an availability without clients."""

from typing import Any

from fedlocal.attacks.attacks import Attack
from fedlocal.availability import Always, Availability
from fedlocal.config.schema import ConfigError


def check_availability(scheme: Any, availability: Availability) -> None:
    """Refuse an availability that a scheme would ignore.

    Parameters
    ----------
    scheme : partial
        Of a `Scheme`, as the configuration builds it.
    availability : Availability
        Who is there.

    Raises
    ------
    ConfigError
        If actors may be away, and the scheme has none that could be.
    """
    if not getattr(scheme.func, "has_clients", False) and not isinstance(availability, Always):
        raise ConfigError(
            f"availability: scheme={scheme.func.__name__} has no clients that could be away; choose "
            f"availability=always, or another scheme: federated, local"
        )


def check_attack(scheme: Any, attack: Attack) -> None:
    """Refuse an attack on a scheme that has no server.

    Parameters
    ----------
    scheme : partial
        Of a `Scheme`, as the configuration builds it.
    attack : Attack
        What malicious actors do.

    Raises
    ------
    ConfigError
        If some actors may be malicious, and the scheme has no server that they could attack.
    """
    if type(attack) is not Attack and not getattr(scheme.func, "has_server", False):
        raise ConfigError(
            f"attack: only scheme=federated has a server to attack; with scheme={scheme.func.__name__} set "
            "attack=none"
        )
