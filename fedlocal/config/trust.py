"""Checks of what a stored file may have this process import and call, and the reading of its YAML.

A configuration names classes and functions, and building it calls them. What people type is theirs to
decide. Of a file in a folder only such names are used as do no more than they say: those of fedlocal's
presets, Flower's strategies and partitioners, and the parts of networks. ``trust=true`` lifts that.
Nothing here imports what it is asked about.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fedlocal.config.dotted_keys import as_plain
from fedlocal.config.old_addresses import with_public_addresses

TARGET_KEYS = ("_target_", "estimator", "reference")
"""Options whose value is the name of something that is imported and called."""

ALLOWED_TARGETS = re.compile(
    r"""flwr\.serverapp\.strategy\.[A-Z]\w*
    | flwr_datasets\.partitioner\.[A-Z]\w*
    | sklearn\.(linear_model|neural_network)\.[A-Z]\w*
    | torch\.(nn|optim)\.[A-Z]\w*
    | torch\.nn\.functional\.[a-z]\w*
    | keras\.(models\.)?Sequential
    | keras\.layers\.(?!Lambda|TFSMLayer|TorchModuleWrapper|JaxLayer|FlaxLayer)[A-Z]\w*
    | keras\.(optimizers|initializers|regularizers|constraints)\.[A-Z]\w*
    | keras\.losses\.(?!get$|deserialize$)\w+""",
    re.VERBOSE | re.ASCII,
)
"""Names of other libraries. What is left out opens files or calls what it is given: ``torch.load``,
``keras.layers.Lambda``."""

ALLOWED_HYDRA_OVERRIDES = re.compile(
    r"""hydra\.(mode|sweep\.dir|launcher\.(n_jobs|verbose)|sweeper\.max_batch_size)=.*
    | hydra\.sweep\.subdir=(?!/|.*\.\.)(\$\{hydra[.:]job\.(num|id|override_dirname)\}|[\w.,=/-])+
    | hydra\.sweeper\.(n_trials|n_jobs|seed|direction|study_name|max_failure_rate)=.*
    | hydra\.sweeper\.sampler\.(seed|n_startup_trials|multivariate)=.*
    | hydra/(launcher|sweeper|sweeper/sampler)=\w+""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
"""Hydra's own options that say how a sweep runs, and no more: none opens a database, or leads elsewhere."""

ALLOWED_OVERRIDES = re.compile(r"[+~]{0,2}(?!hydra\b)\w+([./]\w+)*(=.*)?", re.ASCII | re.DOTALL)
INTERPOLATION = re.compile(r"\$\{(?:hydra:job\.[\w.]+|hydra\.job\.[\w.]+|now:[^${}]*|[\w.]+)\}", re.ASCII)
"""Interpolations of nothing but other options, the job, and the clock."""


class TrustError(ValueError):
    """A stored file asks for what only somebody who is trusted may ask for."""


def check_stored(config: Mapping[str, Any], origin: Path | str) -> None:
    """Check that building what a stored configuration describes runs no code but what it is known to.

    It is plain data, and the message says that it was stored in `origin`.

    Raises
    ------
    TrustError
        Naming the first option that asks for more, before anything is imported.
    """
    for option, problem in _problems("", config):
        raise TrustError(f"{option} {problem} {_advice(origin)}")


def check_stored_arguments(arguments: Sequence[str], origin: Path | str) -> None:
    """Check the arguments with which a sweep began, before Hydra is given them again.

    What the options of its runs name is checked when they are composed.

    Raises
    ------
    TrustError
        Naming the first argument that is more than the choice and the value of options.
    """
    named = any("override_dirname" in argument for argument in arguments)
    for argument in arguments:
        if not ALLOWED_HYDRA_OVERRIDES.fullmatch(argument) and not ALLOWED_OVERRIDES.fullmatch(argument):
            raise TrustError(f"{argument}: is no plain option of a sweep or of its runs. {_advice(origin)}")
        option, _, value = argument.partition("=")
        if "${" in INTERPOLATION.sub("", argument) or (".." in value and (named or "." not in option)):
            raise TrustError(f"{argument}: leads out of the configuration. {_advice(origin)}")


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file as it stands there: ``${…}`` is not resolved.

    Raises
    ------
    ValueError
        If it is not such a file, or has aliases, which can stand for more than fits into memory.
    """
    import yaml  # here: the command line reads these files before it needs the rest of Hydra and NumPy
    from omegaconf import OmegaConf

    from fedlocal.results.atomic_files import sound_yaml

    try:
        return as_plain(OmegaConf.create(sound_yaml(path)), resolve=False)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _problems(option: str, value: Any, keras: bool = False) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an option and those below it."""
    if isinstance(value, Mapping):
        name = value.get("_target_")
        if keras and name is None:
            yield option, "is a mapping, of which Keras would make any object."
        below = keras or str(name).startswith("keras.")
        for key, inner in value.items():
            yield from _problems(f"{option}.{key}" if option else str(key), inner, below)
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _problems(f"{option}.{at}", inner, keras)
    elif "${" in str(value):
        yield f"{option}={value}", "is not resolved from a file."
    elif option.rpartition(".")[2] in TARGET_KEYS and value is not None and not _is_allowed(str(value)):
        yield f"{option}={value}", "is not of fedlocal, Flower or a part of a network."


def _is_allowed(name: str) -> bool:
    name = with_public_addresses(name)
    return name in _preset_targets() or ALLOWED_TARGETS.fullmatch(name) is not None


@cache
def _preset_targets() -> frozenset[str]:
    """Return the targets of fedlocal's presets, but for what is only there to name something else."""
    from fedlocal.config.compose import conf_folder

    texts = (path.read_text(encoding="utf-8") for path in conf_folder().rglob("*.yaml"))
    names = frozenset(re.findall(r"_target_: ([\w.]+)", "\n".join(texts)))
    return names - {"fedlocal.cli.jobs.NoteSweep"} | {"", "???"}


def _advice(origin: Path | str) -> str:
    return f"{origin} asks for it: if you trust whoever wrote that, add trust=true"
