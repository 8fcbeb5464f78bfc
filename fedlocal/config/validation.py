"""All that can be wrong with a configuration is found before data are loaded, and every problem is named."""

import inspect
import math
import typing
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, cast

from hydra.utils import get_object
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from fedlocal.config.compose import is_set, option, with_actors
from fedlocal.config.nearest_name import nearest
from fedlocal.config.schema import ANY, AUTO, GROUPS, Config, ConfigError
from fedlocal.config.suggestions import removed_options, unknown_options


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
        config = with_actors(config, ANY)  # what depends on it is checked when it is chosen
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
    unused = getattr(get_object(config.scheme["_target_"]), "unused", ())
    unneeded = [group for group in GROUPS if group in unused and not is_set(config, group)]
    if "strategy" in unneeded and option(config, "strategy.fraction_evaluate"):  # rows are held out then
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
    at_least = {"seed": 0, "rounds": 1, "local_epochs": 1, "batch_size": 1, "accumulate": 1}
    at_least["evaluate_every"] = 1
    problems = [
        f"{name}={getattr(config, name)}: must be at least {least}"
        for name, least in at_least.items()
        if getattr(config, name) < least
    ]
    if config.checkpoint_every is not None and config.checkpoint_every < 0:
        problems.append(f"checkpoint_every={config.checkpoint_every}: must be at least 0; 0 or null: never")
    if config.min_results is not None and not 0 <= config.min_results <= int(config.actors):
        problems.append(
            f"min_results={config.min_results}: must be from 0 to actors={config.actors}, or null"
        )
    if config.round_timeout is not None and not config.round_timeout > 0:
        problems.append(f"round_timeout={config.round_timeout}: must be above 0 seconds, or null")
    if not 0 <= config.validation_fraction < 1:
        problems.append(f"validation_fraction={config.validation_fraction}: must be at least 0 and below 1")
    return problems


def sampling_problems(strategy: Mapping[str, Any], actors: int) -> list[str]:
    """Find what would have Flower wait for ever for nodes that are not there, or skip training in silence.

    Parameters
    ----------
    strategy : mapping of str to Any
        A strategy's options, or the attributes of one that was built: defaults count too.
    actors : int
        How many nodes there are.
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
    if _is_number(train) and not 0 < train <= 1:
        problems.append(f"strategy.fraction_train={train}: must be above 0 and at most 1")
    if _is_number(evaluate) and not 0 <= evaluate <= 1:
        problems.append(f"strategy.fraction_evaluate={evaluate}: must be at least 0 and at most 1")
    return problems


def target_problems(group: str, node: Any) -> list[str]:
    """Compare a group's options, as OmegaConf holds them, with the signature of its target."""
    try:
        options = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    except OmegaConfBaseException as error:
        lacking = isinstance(error, InterpolationKeyError)  # such as the rate of a model without that option
        about = f"{error.full_key}: give a value, as" if lacking else f"{group}:"
        return [f"{about} {str(error).splitlines()[0]}"]
    return _option_problems(group, options)


def _option_problems(place: str, options: Any) -> list[str]:
    if not isinstance(options, dict) or "_target_" not in options:
        return [f"{place}: expected options with a _target_, got {options!r}"]
    if options["_target_"] == MISSING:
        return [f"{place}._target_: must be given, as {place}._target_=…"]
    try:
        target = get_object(options["_target_"])
        parameters, hints = inspect.signature(target).parameters, _hints(target)
    except Exception as error:  # noqa: BLE001 - whatever an import raises, the option is what is wrong
        return [f"{place}._target_={options['_target_']}: {error}"]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    problems = []
    for key, value in options.items():
        if str(key).startswith("_"):
            continue
        if key not in parameters and not takes_any and value != MISSING:
            near = nearest(str(key), parameters)
            problems.append(f"{place}.{key}: {options['_target_']} has no such parameter{near}")
        else:
            problems += _value_problems(f"{place}.{key}", value, hints.get(key, Any), options)
    return problems


def _value_problems(place: str, value: Any, hint: Any, beside: Mapping[str, Any]) -> list[str]:
    if value == MISSING:
        return [f"{place}: must be given, as {place}=…"]
    if isinstance(value, dict) and "_target_" in value:  # Hydra builds it first, unless it is told not to
        return _option_problems(place, value) if beside.get("_recursive_", True) else []
    problem = _type_problem(value, hint)
    return [f"{place}={value}: {problem}"] if problem else []


def parameter_types(target: str) -> dict[str, Any]:
    """Return the types of what a target takes, by name."""
    return _hints(get_object(target))


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    function = target.__init__ if inspect.isclass(target) else target
    return typing.get_type_hints(function)


def _type_problem(value: Any, hint: Any) -> str | None:
    """Say what is wrong with a value for a parameter of this type; only plain types are checked."""
    origin, choices = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return None if value in choices else f"must be one of {', '.join(map(str, choices))}"
    if origin in (UnionType, typing.Union):
        problems = [_type_problem(value, choice) for choice in choices]
        return None if None in problems else " or ".join(dict.fromkeys(problem or "" for problem in problems))
    if hint is NoneType:
        return None if value is None else "must be null"
    if hint is float:
        return None if _is_number(value) else "must be a number"
    if hint in (int, bool, str):
        wrong = not isinstance(value, hint) or (hint is int and isinstance(value, bool))
        return f"must be of type {hint.__name__}" if wrong else None
    if origin is list:
        return _list_problem(value, choices[0])
    return None


def _list_problem(value: Any, hint: Any) -> str | None:
    if not isinstance(value, list):
        return "must be a list"
    return next((f"each {problem}" for item in value if (problem := _type_problem(item, hint))), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
