"""Which schemes go with clients that come and go."""

from typing import Any

from fedlocal.availability import Always, Availability
from fedlocal.config.schema import ConfigError


def check_attendance(scheme: Any, availability: Availability) -> None:
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
