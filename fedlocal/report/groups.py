"""Runs that are repeats of one another, and what they say together."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from fedlocal.report.recorded_run import Recorded
from fedlocal.report.settings import label, settings, telling
from fedlocal.results.arm import Arm
from fedlocal.results.intervals import Interval, mean, ratio

Quality = Literal["accuracy", "rmse", "loss"]


@dataclass(frozen=True)
class Group:
    """Runs that were set up alike but for their seeds.

    Parameters
    ----------
    settings : tuple of str
        Values of the keys that differ between groups.
    label : str
        Those that tell it from the others, with their keys; not those that follow from another one.
    runs : tuple of Recorded
        All of them, however they ended.
    """

    settings: tuple[str, ...]
    label: str
    runs: tuple[Recorded, ...]

    @cached_property
    def done(self) -> list[Recorded]:
        """The runs that completed."""
        return [run for run in self.runs if run.main]

    @property
    def seeds(self) -> int:
        """How many repeats have completed."""
        return len({run.seed for run in self.done})

    def of(self, value: Callable[[Arm], float | None], arm: str | None = None) -> Interval:
        """Return the mean over seeds of what an arm measured.

        Parameters
        ----------
        value : callable
            Takes the arm.
        arm : str or None
            Its name; None means the main one.
        """
        return mean([number for _, number in self.by_seed(value, arm)])

    def against(self, value: Callable[[Arm], float | None], baseline: str) -> Interval:
        """Return the mean of the differences between the main arm and a baseline of the same seed."""
        other = dict(self.by_seed(value, baseline))
        return mean([one - other[seed] for seed, one in self.by_seed(value, None) if seed in other])

    def speed_up(self, baseline: str) -> Interval:
        """Return how many times faster the main arm trained: the geometric mean over seeds."""
        known = self.by_seed(lambda arm: arm.credible_speed_up, baseline)
        found = [number for _, number in known if number > 0]
        return ratio(found, [1.0] * len(found))

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
        found: dict[str, list[float]] = {}
        for run in self.done:
            for arm in run.row.arms[:1] if name is None else run.baselines:
                number = value(arm)
                if name in (None, arm.name) and number is not None and math.isfinite(number):
                    found.setdefault(run.seed, []).append(number)
        return [(seed, sum(numbers) / len(numbers)) for seed, numbers in found.items()]


@dataclass(frozen=True)
class Comparison:
    """All groups of a report, the best first.

    Parameters
    ----------
    keys : tuple of str
        What differs between them.
    groups : tuple of Group
        Those without a completed run last.
    quality : {"accuracy", "rmse", "loss"}
        What they are ranked by.
    baselines : tuple of str
        The names of the arms that they are compared with, the first one first.
    """

    keys: tuple[str, ...]
    groups: tuple[Group, ...]
    quality: Quality
    baselines: tuple[str, ...]

    @property
    def done(self) -> list[Group]:
        """The groups with a completed run."""
        return [group for group in self.groups if group.done]

    @property
    def tied(self) -> list[Group]:
        """The best group, and those that are just as good."""
        best = self.score(self.done[0])
        return [group for group in self.done if math.isclose(self.score(group), best, rel_tol=1e-9)]

    @property
    def told(self) -> list[int]:
        """The positions of those keys that tell the groups apart."""
        return telling([group.settings for group in self.groups if group.runs[0].config])

    @property
    def runs(self) -> list[Recorded]:
        """All runs, by groups."""
        return [run for group in self.groups for run in group.runs]

    def value(self, arm: Arm) -> float | None:
        """Return an arm's quality."""
        number: float | None = getattr(arm, self.quality)
        return number

    def score(self, group: Group) -> float:
        """Return how good a group is: more is better, and no number is worst."""
        found = group.of(self.value).estimate
        signed = found if self.quality == "accuracy" else -found
        return -math.inf if math.isnan(found) else signed


def compare(runs: Sequence[Recorded]) -> Comparison:
    """Put runs in groups and the groups in order."""
    keys, values = settings(runs)
    alike: dict[tuple[tuple[str, ...], str], list[Recorded]] = {}
    for run in runs:  # of a run whose configuration is lost it is not known what it repeats
        alike.setdefault((values[run.name], "" if run.config else run.name), []).append(run)
    told = telling([setting for setting, lost in alike if not lost])
    groups = [_group(keys, told, setting, own) for (setting, _), own in alike.items()]
    if not keys:
        groups = [replace(group, label=_only(group)) for group in groups]
    arms = [run.main for run in runs if run.main]
    baselines = dict.fromkeys(arm.name for run in runs for arm in run.baselines)
    quality: Quality = "accuracy" if not arms or any(arm.accuracy is not None for arm in arms) else "loss"
    if quality == "loss" and all(arm.rmse is not None for arm in arms):  # losses are of scaled targets
        quality = "rmse"
    unordered = Comparison(tuple(keys), tuple(groups), quality, tuple(baselines))
    ordered = sorted(groups, key=lambda group: (not group.done, -unordered.score(group)))
    return Comparison(unordered.keys, tuple(ordered), quality, unordered.baselines)


def _only(group: Group) -> str:
    """Name a group where nothing that is known tells it from others."""
    if group.done:
        return group.done[0].row.arms[0].name
    return group.runs[0].name if len(group.runs) == 1 else group.label


def _group(
    keys: Sequence[str], told: Sequence[int], setting: tuple[str, ...], runs: Sequence[Recorded]
) -> Group:
    if not runs[0].config:
        return Group(("",) * len(keys), runs[0].name, tuple(runs))
    return Group(setting, label([keys[k] for k in told], [setting[k] for k in told]), tuple(runs))
