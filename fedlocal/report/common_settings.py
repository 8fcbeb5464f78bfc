"""The settings that runs were asked for, common ones and differing ones, and the machines they ran on."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedlocal.report.recorded_run import RecordedRun
from fedlocal.report.settings import differing_keys

MOST_VALUES = 12


@dataclass(frozen=True)
class RequestedSettings:
    """The settings that runs were asked for.

    Parameters
    ----------
    common : tuple of str
        Arguments that all runs were given.
    differing : tuple of tuple
        Keys with their values and the number of runs that have each; the value is empty where there is no
        such key.
    same : tuple of tuple of str
        Keys and values of the configuration that all runs have.
    """

    common: tuple[str, ...]
    differing: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    same: tuple[tuple[str, str], ...]


def requested_settings(runs: Sequence[RecordedRun]) -> RequestedSettings:
    """Return the settings that runs were asked for."""
    configs = [run.config for run in runs if run.config]
    keys = differing_keys(configs)
    differing = [(key, _counted([config.get(key, "") for config in configs])) for key in keys]
    same = [(key, value) for key, value in (configs[0] if configs else {}).items() if key not in keys]
    given = [run.row.overrides for run in runs if run.row.status != "unreadable"]
    common = [
        f"{key}={value}" for key, value in (given[0] if given else {}).items()
        if all(overrides.get(key) == value for overrides in given)
    ]  # fmt: skip
    return RequestedSettings(tuple(common), tuple(differing), tuple(sorted(same)))


def _counted(values: Sequence[str]) -> tuple[tuple[str, int], ...]:
    counts = Counter(values)
    shown = [(value, count) for value, count in counts.items()][:MOST_VALUES]
    left = len(values) - sum(count for _, count in shown)
    return (*shown, *([("other values", left)] if left else []))


@dataclass(frozen=True)
class Environment:
    """The machine that some runs ran on: the names of the runs, and facts with their names."""

    runs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def environments(runs: Sequence[RecordedRun]) -> list[Environment]:
    """Return the distinct machines that runs ran on."""
    by_facts: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for run in runs:
        if facts := tuple(_facts(run.environment)):
            by_facts.setdefault(facts, []).append(run.name)
    return [Environment(tuple(names), facts) for facts, names in by_facts.items()]


def _facts(stored: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    cores, versions = stored.get("cores"), stored.get("versions")
    if isinstance(stored.get("cpu"), str):
        yield "processor", stored["cpu"]
    if isinstance(cores, Mapping):
        yield "cores", f"{cores.get('usable')} usable of {cores.get('logical')}"
    if "workers" in stored:
        yield "workers", str(stored["workers"])
    if isinstance(stored.get("platform"), str):
        yield "platform", stored["platform"]
    if isinstance(versions, Mapping):
        yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    if isinstance(libraries := stored.get("libraries"), list):
        described = {_library(library) for library in libraries if isinstance(library, Mapping)}
        yield "libraries", "; ".join(sorted(described))
    if isinstance(threads := stored.get("threads"), Mapping) and threads:
        yield "set", ", ".join(f"{name}={value}" for name, value in threads.items())


def _library(stored: Mapping[str, Any]) -> str:
    return f"{stored.get('internal_api')} {stored.get('version') or ''}, {stored.get('num_threads')} threads"
