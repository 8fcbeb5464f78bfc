"""The baselines of all runs: one that several groups have in common is one."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from fedlocal.report.groups import Comparison, Group
from fedlocal.report.recorded_run import Recorded
from fedlocal.results.arm import Arm
from fedlocal.results.intervals import Interval, mean

Trained = tuple[Recorded, Arm]


@dataclass(frozen=True)
class Baseline:
    """One baseline.

    Parameters
    ----------
    name : str
        Of its arms.
    settings : tuple of str
        The values that the groups it belongs to have in common; ``any`` where they differ.
    arms : tuple of tuple of Recorded and Arm
        Each run that has it, with what it measured there.
    """

    name: str
    settings: tuple[str, ...]
    arms: tuple[Trained, ...]

    @property
    def seeds(self) -> int:
        """How many repeats there are."""
        return len({run.seed for run, _ in self.arms})

    def of(self, value: Callable[[Arm], float | None], *, measured: bool = False) -> Interval:
        """Return the mean over seeds; `measured` leaves out what was taken from another run."""
        found: dict[str, list[float]] = {}
        for run, arm in self.arms:
            number = value(arm)
            if number is not None and math.isfinite(number) and not (measured and arm.reused is not None):
                found.setdefault(run.seed, []).append(number)
        return mean([sum(each) / len(each) for each in found.values()])


def baselines(comparison: Comparison) -> list[Baseline]:
    """Return the distinct baselines: those with the same final weights are the same."""
    return [each for name in comparison.baselines for each in _distinct(comparison, name)]


def _distinct(comparison: Comparison, name: str) -> list[Baseline]:
    sets: list[tuple[set[str], list[Group]]] = []
    for group in comparison.done:
        trained = {_identity(run, arm) for run, arm in _arms(group, name)}
        if not trained:
            continue
        alike = [each for each in sets if each[0] & trained]
        sets = [each for each in sets if each not in alike]
        merged = [one for _, groups in alike for one in groups]
        sets.append((trained.union(*(known for known, _ in alike)), [*merged, group]))
    return [_joined(name, groups) for _, groups in sets]


def _joined(name: str, groups: list[Group]) -> Baseline:
    values = zip(*(group.settings for group in groups), strict=True)
    common = tuple(each[0] if len(set(each)) == 1 else "any" for each in values)
    return Baseline(name, common, tuple(pair for group in groups for pair in _arms(group, name)))


def _arms(group: Group, name: str) -> list[Trained]:
    return [(run, arm) for run in group.done for arm in run.baselines if arm.name == name]


def _identity(run: Recorded, arm: Arm) -> str:
    return run.row.hashes.get(arm.name) or f"{run.seed} {arm.accuracy} {arm.loss}"
