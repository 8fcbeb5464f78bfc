"""Groups of runs that are repeats of one another, and the means and intervals over them."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from fedlocal.report.recorded_run import RecordedRun
from fedlocal.report.settings import distinguishing_columns, label, settings
from fedlocal.results.arm import Arm
from fedlocal.results.intervals import Interval, mean, ratio

Quality = Literal["accuracy", "rmse", "loss"]


RunArm = tuple[RecordedRun, Arm]


def mean_by_seed(arms: Iterable[RunArm], value: Callable[[Arm], float | None]) -> list[tuple[str, float]]:
    """Return the mean of the finite values of each seed."""
    finite: dict[str, list[float]] = {}
    for run, arm in arms:
        number = value(arm)
        if number is not None and math.isfinite(number):
            finite.setdefault(run.seed, []).append(number)
    return [(seed, sum(numbers) / len(numbers)) for seed, numbers in finite.items()]


@dataclass(frozen=True)
class RunGroup:
    """Runs that were set up alike but for their seeds.

    Parameters
    ----------
    settings : tuple of str
        Values of the keys that differ between groups.
    label : str
        The values that tell it from other groups, with their keys; not those that follow from another value.
    runs : tuple of RecordedRun
        All of them, however they ended.
    """

    settings: tuple[str, ...]
    label: str
    runs: tuple[RecordedRun, ...]

    @cached_property
    def done(self) -> list[RecordedRun]:
        """The runs that completed."""
        return [run for run in self.runs if run.main]

    @property
    def seeds(self) -> int:
        """The number of repeats that have completed."""
        return len({run.seed for run in self.done})

    def of(self, value: Callable[[Arm], float | None], arm: str | None = None) -> Interval:
        """Return the mean over seeds of a value of an arm.

        Parameters
        ----------
        value : callable
            It is called with the arm.
        arm : str or None
            Its name; None means the main one.
        """
        return mean([number for _, number in self.by_seed(value, arm)])

    def against(self, value: Callable[[Arm], float | None], baseline: str) -> Interval:
        """Return the mean of the differences between the main arm and a baseline of the same seed."""
        other = dict(self.by_seed(value, baseline))
        return mean([main - other[seed] for seed, main in self.by_seed(value, None) if seed in other])

    def speed_up(self, baseline: str) -> Interval:
        """Return how many times faster the main arm trained: the geometric mean over seeds."""
        by_seed = self.by_seed(lambda arm: arm.credible_speed_up, baseline)
        factors = [number for _, number in by_seed if number > 0]
        return ratio(factors, [1.0] * len(factors))

    def reused(self, baseline: str) -> bool:
        """Tell whether a baseline's time was taken from another run."""
        return any(
            arm.reused is not None for run in self.done for arm in run.baselines if arm.name == baseline
        )

    def mark(self, baseline: str) -> str:
        """Return the marks of a speed-up: ``~`` where the time is another run's, ``?`` where in doubt."""
        arms = [arm for run in self.done for arm in run.baselines if arm.name == baseline]
        doubtful = any(arm.is_doubtful for arm in arms)
        return ("~" if self.reused(baseline) else "") + ("?" if doubtful else "")

    def by_seed(self, value: Callable[[Arm], float | None], name: str | None) -> list[tuple[str, float]]:
        """Return a finite value for each seed, of an arm by its name; None means the main one.

        Repeats of one seed are no further evidence: they are averaged.
        """
        arms = [
            (run, arm)
            for run in self.done
            for arm in (run.row.arms[:1] if name is None else run.baselines)
            if name in (None, arm.name)
        ]
        return mean_by_seed(arms, value)


@dataclass(frozen=True)
class SettingsComparison:
    """All groups of a report, the best first.

    Parameters
    ----------
    keys : tuple of str
        The settings that differ between groups.
    groups : tuple of RunGroup
        The groups without a completed run are last.
    quality : {"accuracy", "rmse", "loss"}
        The groups are ranked by this.
    baselines : tuple of str
        The names of the arms that groups are compared with, the most important first.
    """

    keys: tuple[str, ...]
    groups: tuple[RunGroup, ...]
    quality: Quality
    baselines: tuple[str, ...]

    @property
    def done(self) -> list[RunGroup]:
        """The groups with a completed run."""
        return [group for group in self.groups if group.done]

    @property
    def tied(self) -> list[RunGroup]:
        """The best group, and the groups that are just as good."""
        best = self.score(self.done[0])
        return [group for group in self.done if math.isclose(self.score(group), best, rel_tol=1e-9)]

    @property
    def distinguishing(self) -> list[int]:
        """The positions of those keys that tell the groups apart."""
        return distinguishing_columns([group.settings for group in self.groups if group.runs[0].config])

    @property
    def runs(self) -> list[RecordedRun]:
        """All runs, by groups."""
        return [run for group in self.groups for run in group.runs]

    def value(self, arm: Arm) -> float | None:
        """Return an arm's quality."""
        number: float | None = getattr(arm, self.quality)
        return number

    def score(self, group: RunGroup) -> float:
        """Return how good a group is: more is better, and no number is worst."""
        estimate = group.of(self.value).estimate
        signed = estimate if self.quality == "accuracy" else -estimate
        return -math.inf if math.isnan(estimate) else signed


def compare(runs: Sequence[RecordedRun]) -> SettingsComparison:
    """Put runs in groups and the groups in order."""
    keys, values = settings(runs)
    alike: dict[tuple[tuple[str, ...], str], list[RecordedRun]] = {}
    for run in runs:  # a run whose configuration is lost is a group by itself
        alike.setdefault((values[run.name], "" if run.config else run.name), []).append(run)
    distinguishing = distinguishing_columns([setting for setting, lost in alike if not lost])
    groups = [_group(keys, distinguishing, setting, repeats) for (setting, _), repeats in alike.items()]
    if not keys:
        groups = [replace(group, label=_label_without_settings(group)) for group in groups]
    arms = [run.main for run in runs if run.main]
    baselines = dict.fromkeys(arm.name for run in runs for arm in run.baselines)
    quality: Quality = "accuracy" if not arms or any(arm.accuracy is not None for arm in arms) else "loss"
    if quality == "loss" and all(arm.rmse is not None for arm in arms):  # losses are of scaled targets
        quality = "rmse"
    unordered = SettingsComparison(tuple(keys), tuple(groups), quality, tuple(baselines))
    ordered = sorted(groups, key=lambda group: (not group.done, -unordered.score(group)))
    return SettingsComparison(unordered.keys, tuple(ordered), quality, unordered.baselines)


def _label_without_settings(group: RunGroup) -> str:
    """Name a group where no setting tells it from other groups."""
    if group.done:
        return group.done[0].row.arms[0].name
    return group.runs[0].name if len(group.runs) == 1 else group.label


def _group(
    keys: Sequence[str], distinguishing: Sequence[int], setting: tuple[str, ...], runs: Sequence[RecordedRun]
) -> RunGroup:
    if not runs[0].config:
        return RunGroup(("",) * len(keys), runs[0].name, tuple(runs))
    words = label([keys[k] for k in distinguishing], [setting[k] for k in distinguishing])
    return RunGroup(setting, words, tuple(runs))
