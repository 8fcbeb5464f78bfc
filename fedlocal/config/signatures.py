"""The options of a group are compared with the signature of its target: their names and their plain types."""

import inspect
import math
import typing
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal

from hydra.utils import get_object
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from fedlocal.config.did_you_mean import did_you_mean
from fedlocal.config.dotted_keys import as_plain


def target_problems(group: str, node: Any) -> list[str]:
    """Compare a group's options, as OmegaConf holds them, with the signature of its target."""
    try:
        options = as_plain(node) if OmegaConf.is_config(node) else node
    except OmegaConfBaseException as error:
        lacking = isinstance(error, InterpolationKeyError)  # such as the rate of a model without that option
        about = f"{error.full_key}: give a value, as" if lacking else f"{group}:"
        return [f"{about} {str(error).splitlines()[0]}"]
    return _option_problems(group, options)


def _option_problems(key: str, options: Any) -> list[str]:
    if not isinstance(options, dict) or "_target_" not in options:
        return [f"{key}: expected options with a _target_, got {options!r}"]
    if options["_target_"] == MISSING:
        return [f"{key}._target_: must be given, as {key}._target_=…"]
    try:
        target = get_object(options["_target_"])
        parameters, hints = inspect.signature(target).parameters, _hints(target)
    except Exception as error:  # noqa: BLE001 - whatever an import raises, the option is what is wrong
        return [f"{key}._target_={options['_target_']}: {error}"]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    problems = []
    for name, value in options.items():
        if str(name).startswith("_"):
            continue
        if name not in parameters and not takes_any and value != MISSING:
            hint = did_you_mean(str(name), parameters)
            problems.append(f"{key}.{name}: {options['_target_']} has no such parameter{hint}")
        else:
            problems += _value_problems(f"{key}.{name}", value, hints.get(name, Any), options)
    return problems


def _value_problems(key: str, value: Any, hint: Any, beside: Mapping[str, Any]) -> list[str]:
    if value == MISSING:
        return [f"{key}: must be given, as {key}=…"]
    if isinstance(value, dict) and "_target_" in value:  # Hydra builds it first, unless it is told not to
        return _option_problems(key, value) if beside.get("_recursive_", True) else []
    problem = _type_problem(value, hint)
    return [f"{key}={value}: {problem}"] if problem else []


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
        return None if is_number(value) else "must be a number"
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


def is_number(value: Any) -> bool:
    """Tell whether a value is a number, and not NaN or a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
