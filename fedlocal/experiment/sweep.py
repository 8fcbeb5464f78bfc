"""What the runs of a sweep share, baselines and cores, and the objective that its sweeper gets of each."""

import hashlib
import json
import logging
import math
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fedlocal.actors import usable_cores
from fedlocal.config.dotted_keys import as_plain
from fedlocal.config.old_addresses import with_first_addresses
from fedlocal.config.schema import AUTO, Config, SweepBaseline
from fedlocal.data.fingerprint import DIVISION, Fingerprint
from fedlocal.display.progress import announce
from fedlocal.results import SharedBaseline

if TYPE_CHECKING:
    from fedlocal.schemes import Setting

logger = logging.getLogger(__name__)
Direction = Literal["maximize", "minimize"]
WORST = 1e9  # not infinity, of which samplers make means
CORES = "LOKY_MAX_CPU_COUNT"  # what `usable_cores` returns at most, here and in what is started from here

MATTERS = (
    "dataset",
    "model",
    "seed",
    "rounds",
    "local_epochs",
    "batch_size",
    "accumulate",
    "optimizer_state",
    "evaluate_every",
)
"""What a baseline depends on."""
MATTERS_TO_ROWS = ("actors", "partition", "skew", "strategy", "validation_fraction")
"""What it depends on as well, where a skew changes the actors' rows, or actors hold rows out."""


def shared_baseline(
    config: Config, setting: "Setting", run: Path, sweep: Path, data: Fingerprint
) -> SharedBaseline | None:
    """Return the baselines that a run shares with others of its sweep; None if each run trains its own."""
    if config.sweep.baseline is SweepBaseline.each or not run.is_relative_to(sweep):
        return None
    rows_differ = setting.slices.skewed or bool(setting.slices.held_out_sizes.any())
    keys = (*MATTERS, *MATTERS_TO_ROWS) if rows_differ else MATTERS
    whole = as_plain(config)
    same_data = {key: value for key, value in data.items() if rows_differ or key != DIVISION}
    key_parts = {key: whole[key] for key in keys} | {"cores": usable_cores(), "data": same_data}
    text = json.dumps(with_first_addresses(key_parts), sort_keys=True, default=str)
    return SharedBaseline(sweep, hashlib.sha256(text.encode()).hexdigest()[:16], run)


def value_counts(hydra: Any) -> dict[str, int] | None:
    """Return how many values each option of a sweep takes, by Hydra's own configuration.

    The answer is None if only its sweeper knows.
    """
    from fedlocal.compat.hydra import is_glob, parse_overrides

    if not str(hydra.sweeper.get("_target_")).endswith(".BasicSweeper"):
        return None
    params = [f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items()]
    counts = {}
    for override in parse_overrides([*params, *hydra.overrides.task]):
        if is_glob(override):
            return None
        swept = override.is_sweep_override() and override.is_discrete_sweep()
        counts[override.get_key_element().lstrip("+~")] = (
            len(list(override.sweep_string_iterator())) if swept else 1
        )
    return counts


def direction_of(sweeper: Any) -> Direction | None:
    """Return the direction of a sweeper's search, None without a search, or with more than one objective.

    Optuna, Nevergrad and Ax each have their own option for it.
    """
    if (direction := sweeper.get("direction")) is not None:
        directions: dict[str, Direction] = {"maximize": "maximize", "minimize": "minimize"}
        return directions.get(str(getattr(direction, "name", direction)))
    if (optim := sweeper.get("optim")) is not None and "maximize" in optim:
        return "maximize" if optim.maximize else "minimize"
    if (ax := sweeper.get("ax_config")) is not None:
        return "minimize" if ax.experiment.minimize else "maximize"
    return None


def wrong_direction(objective: str | None, sweeper: Any) -> str | None:
    """Return a complaint if a sweeper would look for the worst objective, None otherwise."""
    sought = direction_of(sweeper)
    if objective is None or sought is None:
        return None
    best: Direction | None = "maximize" if objective.endswith("accuracy") else None
    if objective.endswith("loss") or objective == "seconds":
        best = "minimize"
    if best in (None, sought):
        return None
    return (
        f"objective={objective}: this sweeper would {sought} it, and so find the worst: set its direction "
        f"(hydra.sweeper.direction={best}), or leave objective out: it is then accuracy or loss, as suits"
    )


def default_objective(accuracy: float | None, loss: float | None, sought: Direction | None) -> float:
    """Return the objective of a run: its loss if the sweeper minimises, or else its accuracy.

    Where a run has only the other metric, the objective is that metric, negated.
    """
    first, second = (loss, accuracy) if sought == "minimize" else (accuracy, loss)
    if first is not None:
        return first
    return -second if second is not None else math.nan


def finite_objective(value: float, sought: Direction | None) -> float:
    """Return a number that a search can go on from: of a run that failed, one far worse than any other's."""
    if sought is None or math.isfinite(value):
        return value
    return -WORST if sought == "maximize" else WORST


def concurrent_runs(launcher: Any) -> float:
    """Return how many runs of a sweep share this machine at a time, as far as a launcher's options say."""
    return _concurrent_runs(str(launcher.get("_target_")), launcher.get("n_jobs"))


@cache  # what joblib says depends on the share of the cores that this process takes when it has asked
def _concurrent_runs(launcher: str, n_jobs: int | None) -> float:
    match launcher.rpartition(".")[2]:
        case "JoblibLauncher":
            from joblib import effective_n_jobs

            return int(effective_n_jobs(n_jobs))
        case "LocalLauncher":  # submitit's
            return math.inf
        case _:  # one after the other, or on machines of their own
            return 1


def sharing_notice(launcher: Any, runs: int | None) -> str | None:
    """Say how the runs of a sweep share the cores, None if they need not."""
    most = concurrent_runs(launcher)
    together = min(most, runs or math.inf)
    if together <= 1:
        return None
    count = f"{runs} runs" if runs else "runs"
    many = f"{together:.0f} at a time" if math.isfinite(together) else "all at once"
    cores = usable_cores()
    return f"{count}, {many}, each on {_share(most)} of {cores} core{'s' if cores > 1 else ''}"


def share_cores(config: Config, launcher: Any) -> None:
    """Leave cores to the other runs of a sweep: this process counts no more than its share from now on."""
    together = concurrent_runs(launcher)
    if together <= 1:
        return
    share = _first_share(together)
    if config.workers != AUTO and int(config.workers) > share:
        announce(
            f"workers={config.workers}: {share} here, as other runs share the cores", config.display.value
        )
        config.workers = share


@cache  # a process makes many runs, and has one share
def _first_share(together: float) -> int:
    share = _share(together)
    os.environ[CORES] = str(share)
    return share


def _share(together: float) -> int:
    return max(1, int(usable_cores() // together))
