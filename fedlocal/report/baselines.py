"""The distinct baselines of all runs: several groups may have one in common."""

from collections.abc import Callable
from dataclasses import dataclass

from fedlocal.report.groups import RunArm, RunGroup, SettingsComparison, mean_by_seed
from fedlocal.report.recorded_run import RecordedRun
from fedlocal.results.arm import Arm
from fedlocal.results.intervals import Interval, mean


@dataclass(frozen=True)
class Baseline:
    """A baseline, with its repeats.

    Parameters
    ----------
    name : str
        The name of its arms.
    settings : tuple of str
        The values that its groups have in common; ``any`` where they differ.
    arms : tuple of tuple of RecordedRun and Arm
        The runs that have it, with what it measured there.
    """

    name: str
    settings: tuple[str, ...]
    arms: tuple[RunArm, ...]

    @property
    def seeds(self) -> int:
        """The number of repeats."""
        return len({run.seed for run, _ in self.arms})

    def of(self, value: Callable[[Arm], float | None], *, measured: bool = False) -> Interval:
        """Return the mean over seeds; `measured` leaves out what was taken from another run."""
        arms = [(run, arm) for run, arm in self.arms if not (measured and arm.reused is not None)]
        return mean([number for _, number in mean_by_seed(arms, value)])


def baselines(comparison: SettingsComparison) -> list[Baseline]:
    """Return the distinct baselines: those with the same final weights are the same."""
    return [baseline for name in comparison.baselines for baseline in _distinct(comparison, name)]


def _distinct(comparison: SettingsComparison, name: str) -> list[Baseline]:
    """Return the baselines of a name: groups that share weights of theirs share the baseline."""
    clusters: list[tuple[set[str], list[RunGroup]]] = []
    for group in comparison.done:
        weights = {_identity(run, arm) for run, arm in _arms(group, name)}
        if not weights:
            continue
        alike = [cluster for cluster in clusters if cluster[0] & weights]
        clusters = [cluster for cluster in clusters if cluster not in alike]
        groups = [member for _, members in alike for member in members]
        clusters.append((weights.union(*(shared for shared, _ in alike)), [*groups, group]))
    return [_joined(name, groups) for _, groups in clusters]


def _joined(name: str, groups: list[RunGroup]) -> Baseline:
    columns = zip(*(group.settings for group in groups), strict=True)
    common = tuple(values[0] if len(set(values)) == 1 else "any" for values in columns)
    return Baseline(name, common, tuple(pair for group in groups for pair in _arms(group, name)))


def _arms(group: RunGroup, name: str) -> list[RunArm]:
    return [(run, arm) for run in group.done for arm in run.baselines if arm.name == name]


def _identity(run: RecordedRun, arm: Arm) -> str:
    return run.row.hashes.get(arm.name) or f"{run.seed} {arm.accuracy} {arm.loss}"
