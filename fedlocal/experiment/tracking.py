"""What trackers are told of a run: its configuration, its rounds, how it ended and what it left behind."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from fedlocal.compat import hydra
from fedlocal.config.dotted_keys import as_plain, flat_items
from fedlocal.config.neutral_options import is_neutral
from fedlocal.config.schema import Config, ConfigError
from fedlocal.config.trust import read_yaml
from fedlocal.experiment.run_folder import sweep_of
from fedlocal.experiment.summary import status_of
from fedlocal.results import versions
from fedlocal.results.runs import arm_name, parse_overrides
from fedlocal.trackers import RunEnded, RunStarted, Tracker, TrackerDispatch, TrackerError

if TYPE_CHECKING:
    from fedlocal.schemes.comparison import Comparison

MODELS = ("model.json", "model.npz", "actor-*.npz", "best.json", "best-*.npz")


def open_trackers(trackers: Mapping[str, Tracker], folder: Path | None) -> None:
    """Open the trackers of a run in a folder.

    Raises
    ------
    ConfigError
        If a library is missing, or a store cannot be reached.
    """
    for tracker in trackers.values():
        try:
            tracker.open(folder)
        except TrackerError as error:
            raise ConfigError(f"{error}; or set tracker=none") from error


@contextmanager
def track_run(
    trackers: Mapping[str, Tracker], config: Config, comparison: "Comparison", overrides: Sequence[str]
) -> Iterator[TrackerDispatch]:
    """Tell trackers, which are open, of a run until it ends, however it does."""
    dispatch = TrackerDispatch(trackers, lambda: comparison.histories)
    if not trackers:
        yield dispatch
        return
    dispatch.begin(_beginning(config, comparison, overrides))
    try:
        yield dispatch
    except BaseException as error:
        dispatch.end(_ending(comparison, error))
        raise
    dispatch.end(_ending(comparison))


def _beginning(config: Config, comparison: "Comparison", overrides: Sequence[str]) -> RunStarted:
    folder, tags = comparison.folder, {f"version.{name}": version for name, version in versions().items()}
    tags |= {"overrides": " ".join(overrides) or None, "folder": str(folder) if folder else None}
    return RunStarted(
        name=_run_name(overrides, folder) or (folder.name if folder else comparison.name),
        main=arm_name(comparison.name),
        folder=folder,
        sweep=_sweep_name(folder),
        parameters=parameters(config),
        tags={name: value for name, value in tags.items() if value},
    )


def _run_name(overrides: Sequence[str], folder: Path | None) -> str:
    """Return what was asked for, as far as it has to do with the results; in a sweep, what varies."""
    asked = parse_overrides(overrides)
    kept = {name: value for name, value in asked.items() if not is_neutral(name)}
    sweep = sweep_of(folder) if folder else None
    common = _common_keys(sweep / "multirun.yaml") if sweep else set()
    varying = {name: value for name, value in kept.items() if name not in common}
    return ", ".join(f"{name}={value}" for name, value in (varying or kept).items())


def _common_keys(path: Path) -> set[str]:
    """Return the keys that were given one value for all runs of a sweep."""
    try:
        given = hydra.parse_overrides(read_yaml(path)["hydra"]["overrides"]["task"])
    except Exception:  # noqa: BLE001 - whatever it holds, names are longer without it
        return set()
    return {override.key_or_group for override in given if not override.is_sweep_override()}


def _sweep_name(folder: Path | None) -> str | None:
    """Return the name of the sweep that a run's folder lies in."""
    sweep = sweep_of(folder) if folder else None
    if sweep is None:
        return None
    return sweep.relative_to(Path.cwd()).as_posix() if sweep.is_relative_to(Path.cwd()) else sweep.name


def parameters(config: Config) -> dict[str, str | int | float | bool]:
    """Return a configuration as dotted keys and values.

    Examples
    --------
    >>> from fedlocal.config.compose import compose
    >>> flat = parameters(compose("actors=8", "model.hidden=[16,16]"))
    >>> flat["actors"], flat["model.hidden"], flat["min_results"]
    (8, '[16, 16]', 'null')
    """
    return {
        name: value if isinstance(value, str | int | float) else json.dumps(value)
        for name, value in flat_items(as_plain(config))
        if not is_neutral(name)
    }


def _ending(comparison: "Comparison", error: BaseException | None = None) -> RunEnded:
    status, reason = status_of(error)
    folder, main = comparison.folder, comparison.histories.get(comparison.name)
    tags = {f"hash.{arm_name(name)}": digest for name, digest in comparison.hashes.items()}
    if reused := {arm.reused for arm in comparison.arms() if arm.reused is not None}:
        tags["baselines-of-run"] = ", ".join(sorted(reused))
    if reason:
        tags["error"] = reason
    return RunEnded(
        status=status,
        round=main.rounds[-1].number if main and main.rounds else 0,
        metrics=_results(comparison),
        tags=tags,
        figures=sorted(folder.glob("*.png")) if folder else (),
        models=[path for pattern in MODELS for path in sorted(folder.glob(pattern))] if folder else (),
    )


def _results(comparison: "Comparison") -> dict[str, float]:
    """Return the main line of the final table, and its speed-up over those that took turns with it."""
    metrics: dict[str, float | None] = {}
    for arm in comparison.arms()[:1]:
        values = {name: value for name, value in asdict(arm).items() if isinstance(value, float)}
        metrics |= {f"final/{name.replace('_', '-')}": value for name, value in values.items()}
    for arm in comparison.arms()[1:]:
        if arm.reused is None:  # or their times were not taken together
            metrics[f"final/speed-up/{arm_name(arm.name)}"] = arm.credible_speed_up
            if arm.credible_speed_up is not None:
                metrics[f"final/end-to-end/{arm_name(arm.name)}"] = arm.end_to_end
    return {name: value for name, value in metrics.items() if value is not None}
