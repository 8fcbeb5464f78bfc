"""The configuration: its typed schema, where its groups lie, and how objects are built from it.

Options at the top level are typed by `Config`. The options of a group are typed by the signature of what the
group's ``_target_`` names, so that there is one place for a parameter, its type and its documentation.
"""

import copy
import inspect
import math
import threading
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from functools import cache, partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, cast

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException, InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from fedlocal.compat.hydra import outside_any_job
from fedlocal.mistyped import explained, removed_options, unknown_options
from fedlocal.nearest import nearest

AUTO = "auto"
ANY = 1 << 30  # stands for a number of actors that is not known yet

_composing = threading.Lock()  # Hydra keeps what it composes in one global place
GROUPS = (
    "dataset",
    "partition",
    "skew",
    "model",
    "scheme",
    "strategy",
    "client",
    "attack",
    "availability",
    "backend",
)


class ConfigError(ValueError):
    """The configuration asks for what cannot be; every problem is named."""


class OptimizerState(Enum):
    """What becomes of a client's optimiser state between rounds."""

    reset = "reset"
    keep = "keep"


class Display(Enum):
    """How a run shows its progress."""

    auto = "auto"
    plain = "plain"
    off = "off"


class SweepBaseline(Enum):
    """Which runs of a sweep train a baseline."""

    once = "once"
    each = "each"


@dataclass
class Sweep:
    """What the runs of a sweep have to do with one another.

    Parameters
    ----------
    baseline : {"once", "each"}
        Whether runs whose baselines would be the same share the first one's, or each trains its own beside
        it: for times that are compared.
    resume : bool
        Whether to leave alone what has completed, and go on with what was begun.
    """

    baseline: SweepBaseline = MISSING
    resume: bool = MISSING


@dataclass
class Config:
    """The options of a run; ``conf/config.yaml`` holds their defaults and says what they are for."""

    dataset: Any = MISSING
    partition: Any = MISSING
    skew: Any = MISSING
    model: Any = MISSING
    scheme: Any = MISSING
    strategy: Any = MISSING
    client: Any = MISSING
    attack: Any = MISSING
    availability: Any = MISSING
    backend: Any = MISSING
    tracker: dict[str, Any] = field(default_factory=dict)
    seed: int = MISSING
    actors: int | str = MISSING
    workers: int | str = MISSING
    rounds: int = MISSING
    local_epochs: int = MISSING
    batch_size: int = MISSING
    accumulate: int = MISSING
    optimizer_state: OptimizerState = MISSING
    evaluate_every: int = MISSING
    checkpoint_every: int | None = MISSING
    validation_fraction: float = MISSING
    min_results: int | None = MISSING
    round_timeout: float | None = MISSING
    baseline: bool = MISSING
    sweep: Sweep = MISSING
    report: bool = MISSING
    objective: str | None = MISSING
    display: Display = MISSING
    trust: bool = MISSING
    overwrite: bool = MISSING


ConfigStore.instance().store(name="schema", node=Config)


def folder() -> Path:
    """Return the folder of the groups: in the package if it came in a wheel, else the checkout's."""
    package = Path(__file__).resolve().parent
    return next(place for place in (package / "conf", package.parent / "conf") if place.is_dir())


def is_ours(error: BaseException) -> bool:
    """Tell whether an error is one of fedlocal's own: its message is for people, without a traceback."""
    return type(error).__module__.startswith("fedlocal.")


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
            with initialize_config_dir(str(folder()), version_base="1.3"):
                config = hydra_compose("config", overrides=list(overrides))
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise ConfigError(explained(error, overrides, folder()) or str(error)) from error
    if problems := [*removed_options(config, Config), *unknown_options(config, Config)]:
        raise ConfigError("\n".join(problems))
    return cast(Config, config)


def option(config: Config, key: str) -> Any:
    """Return an option by its dotted key, None where there is none.

    ``DictConfig.get`` of a missing key keeps its callers' frames, and the data in them, until a garbage
    collection.
    """
    return OmegaConf.select(cast(Any, config), key)


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


def is_set(config: Config, key: str) -> bool:
    """Tell whether an option has another value than its default, a group another preset or other options."""
    value, default = config[key], _defaults()[key]  # type: ignore[index]
    if key in GROUPS:
        value = OmegaConf.to_container(value, resolve=False)
    return bool(getattr(value, "name", value) != default)


@cache
def _defaults() -> dict[str, Any]:
    stored = _stored("config.yaml")
    lines = [line for line in stored["defaults"] if isinstance(line, dict)]
    chosen = {key: name for line in lines for key, name in line.items()}
    return {**stored, **{group: _stored(f"{group}/{chosen[group]}.yaml") for group in GROUPS}}


def _stored(name: str) -> Any:
    return OmegaConf.to_container(OmegaConf.load(folder() / name), resolve=False)


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


def with_actors(config: Config, actors: int) -> Config:
    """Return a copy of a configuration with this number of actors, and what refers to it."""
    changed = copy.deepcopy(config)
    changed.actors = actors
    return changed


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


def model_imports(config: Config) -> tuple[str, ...]:
    """Return the modules that every process with a model will import: a framework's import takes seconds."""
    return tuple(getattr(get_object(config.model["_target_"]), "preload", ()))


def build(config: Config, group: str, **given: Any) -> Any:
    """Build what a group of the configuration describes.

    Parameters
    ----------
    config : Config
        The configuration.
    group : str
        One of `GROUPS`, or ``tracker``: then what is built are several, by name.
    **given
        Arguments that the configuration cannot know.

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
        if isinstance(cause, ValueError | TypeError) and not is_ours(cause):
            raise ConfigError(f"{group}: {cause}") from cause
        cause.add_note(f"while building {group}")
        raise cause from None
    if isinstance(built, partial):  # Hydra's own kind of partial would have every worker import Hydra
        return partial(built.func, *built.args, **built.keywords)
    return built
