"""The answer on the first screen: which setting was best, by how much, and against the baseline."""

import math
from collections import Counter
from dataclasses import dataclass

from fedlocal.report.groups import RunGroup, SettingsComparison
from fedlocal.report.number_format import between, counted, listed, plus_minus, signed, times
from fedlocal.results.formatting import duration, fixed
from fedlocal.results.intervals import Interval, leads

WHY = "Student's t over the same seeds, for all pairs of settings, with Holm's correction, at 5 %"

ENDINGS = {"failed": "failed", "unreadable": "still goes on, or was killed,"}


@dataclass(frozen=True)
class Fact:
    """A number of the answer.

    Parameters
    ----------
    name, value : str
        The name of the number, and the number.
    notes : tuple of str
        Its interval, and the setting that it belongs to.
    """

    name: str
    value: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """The answer that a reader wants first: a sentence, how sure it is, and a few numbers."""

    sentence: str
    caution: str
    facts: tuple[Fact, ...]


def answer(comparison: SettingsComparison) -> Answer:
    """Return the answer that a comparison gives."""
    done = comparison.done
    if not done:
        return _unfinished(comparison)
    best = done[0]
    facts = [_best_fact(comparison, best)]
    facts += [_difference_fact(comparison, best, name) for name in _compared_baselines(comparison, best)]
    fastest = _speed_facts(comparison)
    return Answer(_sentence(comparison, best), _caution(comparison), (*facts, *fastest, _runs(comparison)))


def _unfinished(comparison: SettingsComparison) -> Answer:
    """Say how far a single run got; several unfinished runs cannot be compared."""
    history, status = comparison.runs[0].history, comparison.runs[0].row.status
    if len(comparison.runs) > 1 or not history.rounds:
        return Answer("No run has completed, so there is nothing to compare yet.", "", (_runs(comparison),))
    what = ENDINGS.get(status, f"was {status}")
    facts = [Fact("rounds done", str(history.rounds[-1].number))]
    facts += [
        Fact(f"{name} so far", fixed(value))
        for name in ("accuracy", "rmse", "loss")
        if (value := history.final(name)) is not None
    ]
    return Answer(f"The run {what} after round {history.rounds[-1].number}.", "", tuple(facts))


def _sentence(comparison: SettingsComparison, best: RunGroup) -> str:
    estimate = best.of(comparison.value)
    quality = f"{comparison.quality} {fixed(estimate.estimate)}"
    whole = f"{quality} {plus_minus(estimate)}".rstrip()
    ties = [group.label for group in comparison.tied]
    if len(ties) > 1:
        text = f"{listed(ties)} tie for best of {len(comparison.done)} settings: {whole}"
    elif len(comparison.done) > 1:
        text = f"{best.label} did best of {len(comparison.done)} settings: {whole}"
    else:
        text = f"{best.done[0].row.arms[0].name} reached {whole}"
    for name in _compared_baselines(comparison, best):
        difference, other = best.against(comparison.value, name), best.of(comparison.value, name)
        text += f", {_distance(comparison, difference)} {name} ({fixed(other.estimate)})"
    return f"{text}."


def _compared_baselines(comparison: SettingsComparison, best: RunGroup) -> list[str]:
    """Return the first baseline if it can be compared with the best setting."""
    names = comparison.baselines[:1]
    return [name for name in names if not math.isnan(best.against(comparison.value, name).estimate)]


def _distance(comparison: SettingsComparison, difference: Interval) -> str:
    """Say in words how far a setting is from the baseline."""
    value = difference.estimate
    if abs(value) < 5e-5:
        return "the same as"
    direction = "above" if value > 0 else "below"
    if comparison.quality == "accuracy":
        return f"{abs(100 * value):.{1 if abs(value) >= 0.0005 else 2}f} percentage points {direction}"
    return f"{fixed(abs(value))} {direction}"


def _caution(comparison: SettingsComparison) -> str:
    done = comparison.done
    if all(group.seeds < 2 for group in done):
        return "One seed each: how much of a difference is chance is not known." if len(done) > 1 else ""
    if len(done) < 2:
        return ""
    certain = leads([dict(group.by_seed(comparison.value, None)) for group in done])
    tested = [lead for lead in certain if lead is not None]
    if not tested:
        return "No two settings have two seeds in common: how much of the lead is chance is not known."
    sure = sum(tested)
    if not sure:
        return f"The lead over {_settings(len(tested), len(tested))} may be chance ({WHY})."
    rest = "" if sure == len(tested) else "; over the others it may be chance"
    return f"The lead over {_settings(sure, len(tested))} is more than chance{rest} ({WHY})."


def _settings(part: int, whole: int) -> str:
    """Name a part of the other settings."""
    if whole == 1:
        return "the other setting"
    return f"all {whole} other settings" if part == whole else f"{part} of the {whole} other settings"


def _best_fact(comparison: SettingsComparison, best: RunGroup) -> Fact:
    estimate = best.of(comparison.value)
    many = len(comparison.done) > 1
    name = f"best {comparison.quality}" if many else comparison.quality
    seeds = f"n = {counted(estimate.trials, 'seed')}"
    label = listed([group.label for group in comparison.tied]) if many else ""
    notes = (f"{plus_minus(estimate)} ({seeds})" if estimate.has_ends else seeds, label)
    return Fact(name, fixed(estimate.estimate), tuple(filter(None, notes)))


def _difference_fact(comparison: SettingsComparison, best: RunGroup, name: str) -> Fact:
    difference, other = best.against(comparison.value, name), best.of(comparison.value, name)
    notes = (plus_minus(difference), f"{name}: {fixed(other.estimate)}")
    return Fact("difference from the baseline", signed(difference.estimate), tuple(filter(None, notes)))


def _speed_facts(comparison: SettingsComparison) -> list[Fact]:
    for name in comparison.baselines[:1]:
        groups = [group for group in comparison.done if not math.isnan(group.speed_up(name).estimate)]
        if groups:
            fast = max(groups, key=lambda group: group.speed_up(name).estimate)
            speed_up = fast.speed_up(name)
            many = len(comparison.done) > 1
            notes = (between(speed_up), fast.label if many else "", f"over {name}")
            return [
                Fact(
                    "highest speed-up" if many else "speed-up",
                    fast.mark(name) + times(speed_up.estimate),
                    tuple(filter(None, notes)),
                )
            ]
    timed = [group for group in comparison.done if group.of(lambda arm: arm.seconds).trials]
    if not timed:
        return []
    fast = min(timed, key=lambda group: group.of(lambda arm: arm.seconds).estimate)
    took = duration(fast.of(lambda arm: arm.seconds).estimate)
    if len(comparison.done) == 1:
        return [Fact("training time", took)]
    return [Fact("shortest training", took, (fast.label,))]


def _runs(comparison: SettingsComparison) -> Fact:
    statuses = Counter(run.row.status for run in comparison.runs)
    done, whole = statuses.pop("completed", 0), len(comparison.runs)
    if not statuses:
        return Fact("runs", str(whole), ("completed",) if whole == 1 else ("all completed",))
    return Fact(
        "runs completed",
        f"{done} of {whole}",
        (listed([f"{number} {status}" for status, number in statuses.items()]),),
    )
