"""The federation that a configuration describes, as each process on an engine puts it together by itself."""

import shlex
from functools import lru_cache
from typing import Any, cast

from flwr.app import Context, Message
from omegaconf import OmegaConf

from fedlocal.actors import one_thread
from fedlocal.config.compose import compose, restore
from fedlocal.config.schema import Config, ConfigError
from fedlocal.config.validation import check
from fedlocal.experiment.groups import build_groups
from fedlocal.experiment.setup import prepare
from fedlocal.flower.client.clients import Answer, DefaultClient
from fedlocal.flower.grid.backends import Inline
from fedlocal.flower.node.client_runner import entropy_of
from fedlocal.flower.node.seeding import seeded

OVERRIDES = "overrides"
"""The key of an app's run configuration that holds a line of options: ``"actors=2 rounds=3"``."""


def composed(line: str) -> Config:
    """Compose and check the configuration of a line of options, as on the command line.

    Raises
    ------
    ConfigError
        If an option is wrong; the message names it.
    """
    try:
        config = compose(*shlex.split(line))
    except ValueError as error:
        raise ConfigError(f"{OVERRIDES}={line!r}: {error}") from error
    check(config)
    return config


def as_text(config: Config) -> str:
    """Return a configuration as YAML, all references resolved."""
    return OmegaConf.to_yaml(config, resolve=True)


def client_app_of(text: str) -> Answer:
    """Return what answers for the clients of a configuration, the same each time in this process.

    Parameters
    ----------
    text : str
        As `as_text` wrote it.
    """
    with one_thread():
        return _client_app(text)


@lru_cache(maxsize=1)
def _client_app(text: str) -> Answer:
    config = compose()
    restore(config, cast(dict[str, Any], OmegaConf.create(text)))
    setting = prepare(config, build_groups(config, Inline()))
    client = setting.client or DefaultClient()
    app = client.app(setting.slices, setting.new_model, setting.training)

    def seeded_app(message: Message, context: Context) -> Message:
        with seeded(entropy_of(config.seed, _request_name(message, context))):
            return app(message, context)

    return seeded_app


def _request_name(message: Message, context: Context) -> str:
    """Return what a client's draws depend on beside the seed: engines do not number a node's messages."""
    configs = message.content.config_records.values()
    number = next((config["server-round"] for config in configs if "server-round" in config), 0)
    return f"{context.node_config['partition-id']}:{message.metadata.message_type}:{number!r}"


def answer(text: str, message: Message, context: Context) -> Message:
    """Have the client app of a configuration answer a message, its draws seeded, with one BLAS thread."""
    app = client_app_of(text)
    with one_thread():
        return app(message, context)
