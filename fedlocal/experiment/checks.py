"""Refusals of what the groups of a configuration, as they were built, cannot do together."""

from fedlocal.attacks.attacks import Attack
from fedlocal.availability import Always
from fedlocal.config.capabilities import capabilities_of, other_schemes, scheme_name
from fedlocal.config.schema import AUTO, Config, ConfigError
from fedlocal.config.validation import sampling_problems
from fedlocal.experiment.groups import Groups
from fedlocal.flower.server.wrapping import innermost


def check_groups(groups: Groups, config: Config) -> None:
    """Refuse what a scheme cannot do or would ignore, and a strategy that cannot sample so many actors.

    Raises
    ------
    ConfigError
        If some actors may be malicious and the scheme has no server that they could attack, if actors may be
        away and it has no clients, if the number of actors is to be chosen and no pilot knows its times, or
        if the strategy would wait for more actors than there are.
    """
    name, can = scheme_name(groups.scheme), capabilities_of(groups.scheme)
    if not can.has_server and type(groups.attack) is not Attack:
        raise ConfigError(
            f"attack: scheme={name} has no server to attack; set attack=none, or "
            f"{other_schemes('has_server')}"
        )
    numbers = vars(innermost(groups.strategy)) if groups.strategy else {}
    if config.actors != AUTO and (problems := sampling_problems(numbers, int(config.actors))):
        raise ConfigError("\n".join(problems))
    if not can.has_clients and not isinstance(groups.availability, Always):
        raise ConfigError(
            f"availability: scheme={name} has no clients that could be away; set availability=always, or "
            f"{other_schemes('has_clients')}"
        )
    if config.actors == AUTO:
        _check_pilot(groups)


def _check_pilot(groups: Groups) -> None:
    from fedlocal.flower.client.clients import DefaultClient

    can = capabilities_of(groups.scheme)
    if can.pilot is None:
        raise ConfigError(
            f"actors=auto: scheme={scheme_name(groups.scheme)} has no best number of actors; give a number, "
            f"or {other_schemes('pilot')}"
        )
    if can.has_clients and not isinstance(groups.client, DefaultClient):
        raise ConfigError("actors=auto knows the times of fedlocal's own client alone; give a number")
