"""Messages about what was mistyped, in one line: what does not exist, and what comes nearest to it."""

import inspect
import re
from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.utils import get_object
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from fedlocal.config.did_you_mean import did_you_mean


def unknown_options(config: Iterable[Any], schema: type) -> list[str]:
    """Find the options at the top of a configuration that its schema does not have, such as ``+actor=8``."""
    names = [option.name for option in fields(schema)]
    return [f"{key}: there is no such option{did_you_mean(key, names)}" for key in config if key not in names]


def removed_options(config: Container[Any], schema: type) -> list[str]:
    """Find the options at the top that were taken out of a configuration, such as by ``~actors``."""
    return [
        f"~{option.name}: cannot be removed; to have its default, leave it out"
        for option in fields(schema)
        if option.name not in config
    ]


def explained(error: BaseException, overrides: Sequence[str], conf: Path) -> str | None:
    """Say in one line what is wrong with overrides that Hydra refused, with the groups in the folder `conf`.

    The answer is None if the error is about something else.
    """
    groups = [path.name for path in conf.iterdir() if path.is_dir()]
    if mistake := _group_mistake(overrides, groups):
        return mistake
    if isinstance(error, OverrideParseException):
        return _unparsed(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_such_file(error)
    if removed := re.search(r"Could not delete from config. '(\S+)' does not exist", str(error)):
        return f"~{removed[1]}: there is nothing to remove"
    cause = error.__cause__
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):
        return _no_such_key(error, cause, conf, groups)
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _shortened(error)
    return None


def _group_mistake(overrides: Sequence[str], groups: Collection[str]) -> str | None:
    """Find what Hydra refuses of groups in words that do not name them."""
    for override in overrides:
        match = re.fullmatch(r"(\+*)(\w+)=(.*)", override)
        if match is None or match[2] not in groups:
            continue
        plus, key, value = match.groups()
        if value == "null":
            return f"{override}: must be the name of an option; to have the default, leave {key} out"
        if plus:
            return f"{override}: write {key}={value}, without +"
    return None


def _unparsed(error: OverrideParseException) -> str:
    word = error.override
    if re.fullmatch(r"[\w.]+", word):
        return f"{word}: expected {word}=VALUE; a command, such as report, comes first"
    return f"{word}: not an option as Hydra writes them ({str(error).splitlines()[1]})"


def _no_such_file(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    options = list(error.options or [])
    hint = did_you_mean(name, options) or ";"
    if group.startswith("hydra/") and name in ("optuna", "joblib"):
        return f"{group}={name}: it is not installed: pip install 'fedlocal[{name}]'"
    return f"{group}={name}: there is no such {group}{hint} known: {', '.join(options) or 'none'}"


def _no_such_key(error: BaseException, cause: Any, conf: Path, groups: Collection[str]) -> str:
    key, node = str(cause.full_key), cause.parent_node
    typed = re.search(r"To append to your config use \+(.*)", str(error))
    line, (above, _, name) = typed[1] if typed else key, key.rpartition(".")
    parameters = _parameters(node)
    if name in parameters:
        return f"{line}: its group has no line for it; to set it all the same, write +{line}"
    names = {*(map(str, node) if isinstance(node, DictConfig) else ()), *parameters}
    hint = did_you_mean(name, names if above else names | set(groups))
    return f"{line}: there is no option {key}{hint or _elsewhere(conf, above, name)}"


def _parameters(node: Any) -> set[str]:
    """Return what the target of a group takes."""
    if not isinstance(node, DictConfig) or "_target_" not in node:
        return set()
    try:
        return set(inspect.signature(get_object(node["_target_"])).parameters)
    except Exception:  # noqa: BLE001 - whatever an import raises, it is not what was mistyped
        return set()


def _elsewhere(conf: Path, group: str, name: str) -> str:
    """Say which options of the group have it: ``partition.alpha=0.1`` is typed without the partition."""
    files = sorted((conf / group).glob("*.yaml")) if group else []
    having = [path.stem for path in files if re.search(rf"^{re.escape(name)}:", path.read_text(), re.M)]
    verb = "has" if len(having) == 1 else "have"
    return f"; {', '.join(f'{group}={option}' for option in having)} {verb} it" if having else ""


def _shortened(error: BaseException) -> str:
    """Return Hydra's message in one line, without its advice to append."""
    cause = (
        str(error.__cause__).splitlines()[:1] if isinstance(error.__cause__, OmegaConfBaseException) else []
    )
    lines = [line.strip() for line in str(error).splitlines() if not line.startswith(("To append", "Or add"))]
    text = " ".join([*filter(None, lines), *cause])
    if match := re.match(r"Error merging override (\S+) (.*)", text):
        return f"{match[1]}: {match[2]}"
    return text.partition(" Config search path:")[0]
