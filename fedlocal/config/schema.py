"""The typed schema of a configuration, its groups, and the error for what is wrong in it.

Options at the top level are typed by `Config`. The options of a group are typed by the signature of what the
group's ``_target_`` names, so that there is one place for a parameter, its type and its documentation.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

AUTO = "auto"


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
    """Options that the runs of a sweep share.

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
    figures: bool = MISSING
    objective: str | None = MISSING
    display: Display = MISSING
    trust: bool = MISSING
    overwrite: bool = MISSING


ConfigStore.instance().store(name="schema", node=Config)


def is_fedlocal_error(error: BaseException) -> bool:
    """Tell whether an error is one of fedlocal's own: its message is for people, without a traceback."""
    return type(error).__module__.startswith("fedlocal.")
