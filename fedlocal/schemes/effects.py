"""Which options have no effect on what is trained: they are said, as whoever set them expects one."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from fedlocal.config import GROUPS, Config, folder, option
from fedlocal.flower.backends import Inline
from fedlocal.schemes.batch_parallel import batch_parallel
from fedlocal.schemes.local import local
from fedlocal.schemes.pipeline import pipeline
from fedlocal.schemes.sequential import sequential

QUEUE = ("strategy", "client", "partition", "min_results", "validation_fraction")
UNUSED = {
    local: (("strategy", "validation_fraction"), "has no server"),
    batch_parallel: (QUEUE, "has no clients and no server"),
    pipeline: (QUEUE, "has no clients and no server"),
    sequential: ((*QUEUE, "actors", "workers", "backend", "round_timeout"), "is one process without clients"),
}
"""What a scheme makes no use of, and why."""

OF_TRAINING = ("batch_size", "local_epochs", "accumulate", "optimizer_state")


def without_effect(config: Config, scheme: Any, client: Any, backend: Any) -> list[str]:
    """Say which options were set though nothing makes use of them.

    Parameters
    ----------
    config : Config
        Of the run; an option counts as set if it has not its default.
    scheme, client, backend
        Built from it.
    """
    return [
        f"{', '.join(known)}: without effect, since {why}"
        for keys, why in _unused(config, scheme, client, backend)
        if (known := [_shown(config, key) for key in keys if _is_set(config, key)])
    ]


def _unused(config: Config, scheme: Any, client: Any, backend: Any) -> Iterator[tuple[list[str], str]]:
    keys, why = UNUSED.get(scheme.func, ((), ""))
    if option(config, "strategy.fraction_evaluate"):  # rows are held out then, in all schemes
        keys = tuple(key for key in keys if key not in ("strategy", "validation_fraction"))
    if _is_set(config, "skew"):  # which rows suffer what depends on who owns them
        keys = tuple(key for key in keys if key not in ("partition", "actors"))
    yield list(keys), f"scheme={scheme.func.__name__} {why}"
    if scheme.func in UNUSED and scheme.func is not local:
        return
    if scheme.func is not local and not option(config, "strategy.fraction_evaluate"):
        yield ["validation_fraction"], "no client evaluates (strategy.fraction_evaluate)"
    if isinstance(backend, Inline):
        yield ["workers"], "backend=inline is this process alone"
    if not client.visits_all_rows:
        yield list(OF_TRAINING), "your client app trains in its own way; only the baseline does so"


def _is_set(config: Any, key: str) -> bool:
    value, default = config[key], _defaults()[key]
    if key in GROUPS:
        value = OmegaConf.to_container(value, resolve=False)
    return bool(getattr(value, "name", value) != default)


def _shown(config: Any, key: str) -> str:
    if key in GROUPS:
        return f"{key} ({config[key]._target_.rpartition('.')[2]})"
    return f"{key}={getattr(config[key], 'name', config[key])}"


@cache
def _defaults() -> dict[str, Any]:
    stored = _stored("config.yaml")
    lines = [line for line in stored["defaults"] if isinstance(line, dict)]
    chosen = {key: name for line in lines for key, name in line.items()}
    return {**stored, **{group: _stored(f"{group}/{chosen[group]}.yaml") for group in GROUPS}}


def _stored(name: str) -> Any:
    return OmegaConf.to_container(OmegaConf.load(folder() / name), resolve=False)
