"""Objects are built from the groups of a configuration."""

from functools import partial
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate

from fedlocal.config.schema import Config, ConfigError, is_fedlocal_error


def model_imports(config: Config) -> tuple[str, ...]:
    """Return the modules that every process with a model will import: a framework's import takes seconds."""
    return tuple(getattr(get_object(config.model["_target_"]), "preload", ()))


def build(config: Config, group: str, **given: Any) -> Any:
    """Build what a group of the configuration describes, with arguments that the configuration cannot know.

    The group is one of `GROUPS`, or ``tracker``: then what is built are several, by name.

    Raises
    ------
    ConfigError
        If the target is another library's and refuses its options.
    Exception
        Whatever a target of ours raises, unwrapped, with the group's name as a note.
    """
    try:
        built = instantiate(config[group], _convert_="all", **given)  # type: ignore[index]
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, ValueError | TypeError) and not is_fedlocal_error(cause):
            raise ConfigError(f"{group}: {cause}") from cause
        cause.add_note(f"while building {group}")
        raise cause from None
    if isinstance(built, partial):  # Hydra's own kind of partial would have every worker import Hydra
        return partial(built.func, *built.args, **built.keywords)
    return built
