"""Notes about options that have no effect on what is trained: whoever set them expects one."""

from collections.abc import Iterator
from typing import Any

from fedlocal.config.compose import evaluated_share, is_set
from fedlocal.config.schema import GROUPS, Config
from fedlocal.flower.grid.backends import Inline

OF_TRAINING = ("batch_size", "local_epochs", "accumulate", "optimizer_state")


def unused_option_notes(config: Config, scheme: Any, client: Any, backend: Any) -> list[str]:
    """Say which options were set though nothing makes use of them.

    Parameters
    ----------
    config : Config
        Of the run; an option counts as set if it has not its default.
    scheme, client, backend
        Built from it; of a scheme without clients, the client is not looked at.
    """
    return [
        f"{', '.join(set_keys)}: without effect, since {why}"
        for keys, why in _unused(config, scheme, client, backend)
        if (set_keys := [_shown(config, key) for key in keys if is_set(config, key)])
    ]


def _unused(config: Config, scheme: Any, client: Any, backend: Any) -> Iterator[tuple[list[str], str]]:
    keys, why = getattr(scheme.func, "unused_options", ()), getattr(scheme.func, "unused_reason", "")
    if evaluated_share(config):  # rows are held out then, in all schemes
        keys = tuple(key for key in keys if key not in ("strategy", "validation_fraction"))
    if is_set(config, "skew"):  # which rows suffer what depends on who owns them
        keys = tuple(key for key in keys if key not in ("partition", "actors"))
    yield list(keys), f"scheme={scheme.func.__name__} {why}"
    if not getattr(scheme.func, "has_clients", True):
        return
    if getattr(scheme.func, "has_server", True) and not evaluated_share(config):
        yield ["validation_fraction"], "no client evaluates (strategy.fraction_evaluate)"
    if isinstance(backend, Inline):
        yield ["workers"], "backend=inline is this process alone"
    if not client.visits_all_rows:
        yield list(OF_TRAINING), "your client app trains in its own way; only the baseline does so"


def _shown(config: Any, key: str) -> str:
    if key in GROUPS:
        return f"{key} ({config[key]._target_.rpartition('.')[2]})"
    return f"{key}={getattr(config[key], 'name', config[key])}"
