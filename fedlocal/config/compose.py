"""Configurations are composed from the groups' files as the command line does it, restored, and read."""

import copy
import threading
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fedlocal.compat.hydra import outside_any_job
from fedlocal.config.dotted_keys import as_plain
from fedlocal.config.old_addresses import replace_old_addresses
from fedlocal.config.schema import GROUPS, Config, ConfigError
from fedlocal.config.suggestions import explained, removed_options, unknown_options
from fedlocal.config.trust import read_yaml

_composing = threading.Lock()  # Hydra keeps what it composes in one global place


def conf_folder() -> Path:
    """Return the folder of the groups: in the package if it came in a wheel, else the checkout's."""
    package = Path(__file__).resolve().parent.parent
    return next(conf for conf in (package / "conf", package.parent / "conf") if conf.is_dir())


def compose(*overrides: str) -> Config:
    """Compose a configuration as the command line does.

    Parameters
    ----------
    *overrides : str
        As on the command line: ``"dataset=digits"``, ``"partition.alpha=0.1"``.

    Raises
    ------
    ConfigError
        If an override names what does not exist, or gives a value of a wrong type.

    Examples
    --------
    >>> compose("actors=8", "partition=dirichlet").actors
    8
    """
    with _composing, outside_any_job():
        try:
            with initialize_config_dir(str(conf_folder()), version_base="1.3"):
                config = hydra_compose("config", overrides=list(overrides))
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise ConfigError(explained(error, overrides, conf_folder()) or str(error)) from error
    if problems := [*removed_options(config, Config), *unknown_options(config, Config)]:
        raise ConfigError("\n".join(problems))
    replace_old_addresses(config)
    return cast(Config, config)


def option(config: Config, key: str) -> Any:
    """Return an option by its dotted key, None where there is none.

    ``DictConfig.get`` of a missing key keeps its callers' frames, and the data in them, until a garbage
    collection.
    """
    return OmegaConf.select(cast(Any, config), key)


def evaluated_share(config: Config) -> Any:
    """Return ``fraction_evaluate`` of the strategy, or of the one that it is around."""
    key = "strategy"
    while OmegaConf.is_dict(option(config, f"{key}.strategy")):
        key += ".strategy"
    return option(config, f"{key}.fraction_evaluate")


def restore(config: Config, stored: Mapping[str, Any]) -> None:
    """Give a configuration options that were stored, in place of its own.

    Raises
    ------
    omegaconf.errors.OmegaConfBaseException
        If there is no such option, or its value is of a wrong type.
    """
    for key, value in stored.items():
        typed = is_dataclass(OmegaConf.get_type(config, key))
        config[key] = OmegaConf.merge(config[key], value) if typed else value  # type: ignore[index]


def is_set(config: Config, key: str) -> bool:
    """Tell whether an option has another value than its default, a group another preset or other options."""
    value, default = config[key], _defaults()[key]  # type: ignore[index]
    if key in GROUPS:
        value = as_plain(value, resolve=False)
    return bool(getattr(value, "name", value) != default)


@cache
def _defaults() -> dict[str, Any]:
    conf = conf_folder()
    config = read_yaml(conf / "config.yaml")
    chosen = {
        key: name for line in config["defaults"] if isinstance(line, dict) for key, name in line.items()
    }
    return {**config, **{group: read_yaml(conf / group / f"{chosen[group]}.yaml") for group in GROUPS}}


def with_actors(config: Config, actors: int) -> Config:
    """Return a copy of a configuration with this number of actors, and what refers to it."""
    changed = copy.deepcopy(config)
    changed.actors = actors
    return changed
