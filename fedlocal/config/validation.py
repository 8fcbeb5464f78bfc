"""All that can be wrong with a configuration is found before data are loaded, and every problem is named."""

from collections.abc import Mapping
from typing import Any, cast

from hydra.utils import get_object

from fedlocal.config.capabilities import capabilities_of
from fedlocal.config.compose import evaluated_share, is_set, with_actors
from fedlocal.config.schema import AUTO, GROUPS, Config, ConfigError
from fedlocal.config.signatures import is_number, target_problems
from fedlocal.config.suggestions import removed_options, unknown_options

AT_LEAST_1 = ("rounds", "local_epochs", "batch_size", "accumulate", "evaluate_every")
UNDECIDED = 1 << 30  # actors: stands for a number that is still to be chosen


def check(config: Config) -> None:
    """Check all that can be checked before data are loaded.

    Raises
    ------
    ConfigError
        Naming every option that is wrong, the value it has, and what was expected.
    """
    if removed := removed_options(cast(Any, config), Config):
        raise ConfigError("\n".join(removed))
    problems = [*unknown_options(cast(Any, config), Config), *_number_problems(config)]
    if problems or config.actors == AUTO:
        config = with_actors(config, UNDECIDED)  # what depends on it is checked when it is chosen
    problems += _range_problems(config)
    unneeded = () if target_problems("scheme", config.scheme) else unneeded_groups(config)
    for group in GROUPS:
        if group not in unneeded:
            problems += target_problems(group, config[group])  # type: ignore[index]
    for name, options in config.tracker.items():  # the one group of which several can be chosen
        problems += target_problems(f"tracker.{name}", options)
    problems += sampling_problems(config.strategy, int(config.actors))
    if problems:
        raise ConfigError("\n".join(problems))


def unneeded_groups(config: Config) -> list[str]:
    """Return the groups that a scheme makes no use of and nobody has set.

    They are known to be right, and what only they need is not imported: that is Flower, mostly. The pilot of
    ``actors=auto`` needs all groups.
    """
    if config.actors == AUTO:
        return []
    unused = capabilities_of(get_object(config.scheme["_target_"])).unused_options
    unneeded = [group for group in GROUPS if group in unused and not is_set(config, group)]
    if "strategy" in unneeded and evaluated_share(config):  # rows are held out then
        unneeded.remove("strategy")
    return unneeded


def _number_problems(config: Config) -> list[str]:
    """Find what is wrong with numbers that can be left to fedlocal."""
    numbers = {"actors": config.actors, "workers": config.workers}
    return [
        f"{name}={number}: must be a number of at least 1, or {AUTO}"
        for name, number in numbers.items()
        if number != AUTO and not (isinstance(number, int) and number >= 1)
    ]


def _range_problems(config: Config) -> list[str]:
    actors, timeout = int(config.actors), config.round_timeout
    conditions = [
        ("seed", config.seed >= 0, "at least 0"),
        *((name, getattr(config, name) >= 1, "at least 1") for name in AT_LEAST_1),
        ("checkpoint_every", (config.checkpoint_every or 0) >= 0, "at least 0; 0 or null: never"),
        ("min_results", 0 <= (config.min_results or 0) <= actors, f"from 0 to actors={actors}, or null"),
        ("round_timeout", timeout is None or timeout > 0, "above 0 seconds, or null"),
        ("validation_fraction", 0 <= config.validation_fraction < 1, "at least 0 and below 1"),
    ]
    return [
        f"{name}={getattr(config, name)}: must be {what}" for name, holds, what in conditions if not holds
    ]


def sampling_problems(strategy: Mapping[str, Any], actors: int) -> list[str]:
    """Find what would have Flower wait for ever for nodes that are not there, or skip training in silence.

    `strategy` are a strategy's options, or the attributes of one that was built, so that defaults count too.
    """
    problems = [
        f"strategy.{name}={strategy[name]}: must be at most actors={actors}"
        for name in ("min_train_nodes", "min_evaluate_nodes", "min_available_nodes")
        if isinstance(strategy.get(name), int) and strategy[name] > max(actors, 1)
    ]
    asked = strategy.get("min_train_nodes", 1)
    if isinstance(asked, int) and asked < 1:
        problems.append(f"strategy.min_train_nodes={asked}: must be at least 1")
    train, evaluate = strategy.get("fraction_train", 1), strategy.get("fraction_evaluate", 0)
    if is_number(train) and not 0 < train <= 1:
        problems.append(f"strategy.fraction_train={train}: must be above 0 and at most 1")
    if is_number(evaluate) and not 0 <= evaluate <= 1:
        problems.append(f"strategy.fraction_evaluate={evaluate}: must be at least 0 and at most 1")
    return problems
