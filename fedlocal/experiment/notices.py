"""Notices about a run: options that have no effect, and what was decided for whoever asked for it."""

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fedlocal.config.capabilities import capabilities_of, scheme_name
from fedlocal.config.compose import evaluated_share, is_set, option
from fedlocal.config.schema import GROUPS, Config
from fedlocal.display.progress import announce
from fedlocal.experiment.groups import Groups
from fedlocal.flower.grid.backends import Inline

if TYPE_CHECKING:
    from fedlocal.schemes import Setting

logger = logging.getLogger(__name__)

OF_TRAINING = ("batch_size", "local_epochs", "accumulate", "optimizer_state")
MILD = 0.05  # rates up to this one suit squared errors of scaled real values


def announce_all(lines: Sequence[str], config: Config) -> None:
    """Write lines to the log and, if rounds are shown, to the terminal."""
    for line in lines:
        logger.info(line)
        announce(line, config.display.value)


def unused_option_notices(config: Config, groups: Groups) -> list[str]:
    """Say which options were set, to another value than their default, though nothing makes use of them."""
    return [
        f"{', '.join(set_keys)}: without effect, since {why}"
        for keys, why in _unused(config, groups)
        if (set_keys := [_typed(config, key) for key in keys if is_set(config, key)])
    ]


def _unused(config: Config, groups: Groups) -> Iterator[tuple[Sequence[str], str]]:
    can = capabilities_of(groups.scheme)
    keys: Sequence[str] = can.unused_options or (() if can.has_clients else ("client",))
    if evaluated_share(config):  # rows are held out then, in all schemes
        keys = [key for key in keys if key not in ("strategy", "validation_fraction")]
    if is_set(config, "skew"):  # which rows suffer what depends on who owns them
        keys = [key for key in keys if key not in ("partition", "actors")]
    yield keys, f"scheme={scheme_name(groups.scheme)} {can.unused_reason}"
    if not can.has_clients:
        return
    if can.has_server and not evaluated_share(config):
        yield ["validation_fraction"], "no client evaluates (strategy.fraction_evaluate)"
    if isinstance(groups.backend, Inline):
        yield ["workers"], "backend=inline is this process alone"
    if groups.client and not groups.client.declaration.visits_all_rows:
        yield OF_TRAINING, "your client app trains in its own way; only the baseline does so"


def _typed(config: Any, key: str) -> str:
    if key in GROUPS:
        return f"{key} ({config[key]._target_.rpartition('.')[2]})"
    return f"{key}={getattr(config[key], 'name', config[key])}"


def setting_notices(config: Config, setting: "Setting") -> list[str]:
    """Say which actors are malicious, and what a data set's numbers were taken for if nobody said it."""
    dataset, labels, lines = setting.dataset, setting.dataset.classes, []
    if malicious := setting.malicious:
        who = ", ".join(map(str, malicious))
        lines.append(f"{len(malicious)} of {len(setting.partition)} actors are malicious: {who}")
    if option(config, "dataset.task") == "auto":
        if labels is None:
            lines.append(
                "targets are taken as real values; dataset.task=classification takes them as classes"
            )
        elif labels.dtype.kind in "iu":
            lines.append(
                f"targets are whole numbers, taken as {len(labels)} classes; dataset.task=regression takes "
                "them as real values"
            )
    if dataset.target_scaling and (dataset.target_scaling.factor != 1).any():
        lines.append(
            "targets are scaled to deviation 1 for training: loss is of these, rmse is in their own units"
        )
    if labels is None and (rate := option(config, "model.learning_rate") or 0) > MILD:
        lines.append(
            f"model.learning_rate={rate:g} is made for classes; if training diverges, take model=regressor"
        )
    return lines


def warn_of_weakness(setting: "Setting") -> None:
    """Warn where a strategy that is said to be robust withstands nobody, or fewer than there are."""
    if setting.strategy is None:
        return
    from fedlocal.strategies.robustness import weakness

    numbers = len(setting.partition), setting.rounds, len(setting.malicious)
    if weak := weakness(setting.strategy, setting.presences, *numbers):
        logger.warning("strategy: %s", weak)
