"""Checks of the parameters of estimators, before anything is trained."""

import re
import warnings
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from fedlocal.config.compose import conf_folder
from fedlocal.config.did_you_mean import did_you_mean
from fedlocal.config.schema import AUTO, ConfigError

COUNTS = ("actors", "rounds", "local_epochs", "batch_size", "workers")
BACKENDS = (AUTO, "actors", "inline")
NOT_TAKEN = r"[+~]*(dataset|hydra|tracker|report|figures|overwrite|sweep|objective|resume)\b"
PRESETS = ("model", "partition", "strategy")


def check_parameters(parameters: Mapping[str, Any]) -> int:
    """Check an estimator's parameters, as ``get_params`` returns them; return the number of actors.

    Raises
    ------
    ConfigError
        Naming every parameter that is wrong, the value it has, and what was expected.
    """
    given = dict(parameters)
    if given["n_actors"] != "deprecated":
        warnings.warn("n_actors is now called actors, and will go", FutureWarning, stacklevel=5)
        given["actors"] = given["n_actors"]
    if problems := [*_count_problems(given), *_preset_problems(given), *_other_problems(given)]:
        raise ConfigError("\n".join(problems))
    return int(given["actors"])


def _count_problems(given: Mapping[str, Any]) -> Iterable[str]:
    for name in COUNTS:
        if not _is_count(given[name]) and (name, given[name]) != ("workers", AUTO):
            or_auto = ", or 'auto'" if name == "workers" else ""
            yield f"{name}={given[name]!r}: must be a whole number of at least 1{or_auto}"


def _preset_problems(given: Mapping[str, Any]) -> Iterable[str]:
    for name in PRESETS:
        presets = sorted(path.stem for path in (conf_folder() / name).glob("*.yaml"))
        if given[name] not in presets:
            hint = did_you_mean(str(given[name]), presets, "{!r}")
            yield f"{name}={given[name]!r}: must be one of {', '.join(presets)}{hint}"


def _other_problems(given: Mapping[str, Any]) -> Iterable[str]:
    if given["backend"] not in BACKENDS:
        yield f"backend={given['backend']!r}: must be one of {', '.join(BACKENDS)}"
    hidden, rate, overrides = given["hidden"], given["learning_rate"], given["overrides"]
    if hidden is not None and not (_is_series(hidden) and all(map(_is_count, hidden))):
        yield f"hidden={hidden!r}: must be a sequence of whole numbers of at least 1, or None"
    if rate is not None and (not isinstance(rate, Real) or isinstance(rate, bool) or not float(rate) > 0):
        yield f"learning_rate={rate!r}: must be a number above 0, or None"
    if not _is_series(overrides) or not all(isinstance(override, str) for override in overrides):
        yield f"overrides={overrides!r}: must be a sequence of strings, such as ('partition.alpha=0.1',)"
        return
    for override in overrides:
        if re.match(NOT_TAKEN, override):
            yield f"overrides={override!r}: an estimator's data are those of fit, and it writes no folder"


def _is_series(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
