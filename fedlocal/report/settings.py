"""The settings in which runs differ, in as few and as short words as tell them apart."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from fedlocal.report.recorded_run import REPEAT, RecordedRun

TARGET = "_target_"
SCHEMES = "fedlocal.schemes"


def differing_keys(configs: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the dotted keys whose values are not the same in all configurations, a missing key included."""
    keys = dict.fromkeys(key for config in configs for key in config)
    return [key for key in keys if len({config.get(key) for config in configs}) > 1]


def settings(runs: Sequence[RecordedRun]) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Say how runs differ, but for their seeds.

    Where runs chose different options of a group, such as ``partition``, the group is one column, which also
    says those arguments that differ between runs with the same option.

    Returns
    -------
    keys : list of str
        The columns.
    values : dict of str to tuple of str
        By the names of the runs: a value for each column, empty where it is not known.
    """
    readable = [run for run in runs if run.config]
    keys = [key for key in differing_keys([run.config for run in readable]) if key != REPEAT]
    groups = _groups(readable, keys)
    options = {group: _options(group, readable) for group in groups}
    arguments = {group: _arguments(group, options[group], readable) for group in groups}
    typed = dict.fromkeys(key for run in runs for key in run.row.overrides)
    columns = list(dict.fromkeys(_column(key, groups) for key in keys))
    columns = [*(key for key in typed if key in columns), *(key for key in columns if key not in typed)]

    def value(run: RecordedRun, column: str) -> str:
        if column not in groups:
            return run.config.get(column, "")
        option = options[column].get(run.name, "")
        more = [key for key in arguments[column].get(option, ()) if key in run.config]
        return ", ".join([option, *(f"{_word(key)}={run.config[key]}" for key in more)])

    return columns, {run.name: tuple(value(run, column) for column in columns) for run in runs}


def distinguishing_columns(values: Sequence[tuple[str, ...]]) -> list[int]:
    """Return the columns that tell settings apart, without those that follow from another column.

    Examples
    --------
    >>> distinguishing_columns([("digits", "20", "2"), ("mnist", "5", "2"), ("mnist", "5", "4")])
    [0, 2]
    """
    kept = list(range(len(values[0]) if values else 0))
    for column in reversed(kept.copy()):
        if any(_follows(column, other, values) for other in kept if other != column):
            kept.remove(column)
    return kept


def _follows(column: int, other: int, values: Sequence[tuple[str, ...]]) -> bool:
    return len({row[other] for row in values}) == len({(row[other], row[column]) for row in values})


def label(keys: Sequence[str], values: Sequence[str]) -> str:
    """Name a setting by its values; of a key the last word is enough unless two keys have the same.

    Examples
    --------
    >>> label(["actors", "partition.alpha"], ["4", "0.1"]), label([], [])
    ('actors=4, alpha=0.1', 'all runs')
    """
    last = Counter(key.rpartition(".")[2] for key in keys)
    short = [name if last[name := key.rpartition(".")[2]] == 1 else key for key in keys]
    return (
        ", ".join(f"{key}={value}" for key, value in zip(short, values, strict=True) if value) or "all runs"
    )


def _groups(runs: Sequence[RecordedRun], keys: Sequence[str]) -> list[str]:
    """Return the groups of which runs chose different options: with other targets, or by other names."""
    targets = dict.fromkeys(key for run in runs for key in run.config if key.endswith(f".{TARGET}"))
    groups = [key.removesuffix(f".{TARGET}") for key in targets]
    chosen = [
        group
        for group in groups
        if f"{group}.{TARGET}" in keys
        or (
            len({_typed(run, group) for run in runs}) > 1 and any(key.startswith(f"{group}.") for key in keys)
        )
    ]
    return [group for group in chosen if not any(group.startswith(f"{other}.") for other in chosen)]


def _column(key: str, groups: Sequence[str]) -> str:
    return next((group for group in groups if key.startswith(f"{group}.")), key)


def _typed(run: RecordedRun, group: str) -> str:
    """Return the name of a group's option if it was typed."""
    name = run.row.overrides.get(group, "")
    return "" if name == "removed" else name


def _options(group: str, runs: Sequence[RecordedRun]) -> dict[str, str]:
    """Name each run's option as it was typed, for it or for another run with the same, or by its target."""
    same = {_frozen(run, group): _typed(run, group) for run in runs if _typed(run, group)}
    return {
        run.name: _typed(run, group)
        or same.get(_frozen(run, group))
        or _option(run.config.get(f"{group}.{TARGET}", ""))
        for run in runs
    }


def _option(target: str) -> str:
    """Name an option by its target, schemes in words as `batch_parallel`, everything else in one."""
    room, _, name = target.rpartition(".")
    return (re.sub(r"\B([A-Z])", r"_\1", name) if room == SCHEMES else name).lower()


def _within(run: RecordedRun, group: str) -> dict[str, str]:
    return {key: value for key, value in run.config.items() if key.startswith(f"{group}.")}


def _frozen(run: RecordedRun, group: str) -> frozenset[tuple[str, str]]:
    return frozenset(_within(run, group).items())


def _arguments(group: str, options: Mapping[str, str], runs: Sequence[RecordedRun]) -> dict[str, list[str]]:
    """Return for each option of a group the keys that differ between the runs which have it."""
    by_option: dict[str, list[Mapping[str, str]]] = {}
    for run in runs:
        by_option.setdefault(options[run.name], []).append(_within(run, group))
    return {option: differing_keys(configs) for option, configs in by_option.items()}


def _word(key: str) -> str:
    """Return the last word of a key; that of a nested target is what it is the target of."""
    return key.removesuffix(f".{TARGET}").rpartition(".")[2]
