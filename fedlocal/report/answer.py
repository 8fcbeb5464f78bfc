"""The answer on the first screen: which setting was best, by how much, and against the baseline."""

import math
from collections import Counter
from dataclasses import dataclass

from fedlocal.report.groups import Comparison, Group
from fedlocal.report.number_format import between, counted, listed, plus_minus, seconds, signed, times
from fedlocal.results.formatting import fixed
from fedlocal.results.intervals import Interval, leads

WHY = "Student's t over the same seeds, for all pairs of settings, with Holm's correction, at 5 %"

ENDINGS = {"failed": "failed", "unreadable": "still goes on, or was killed,"}


@dataclass(frozen=True)
class Fact:
    """A number that matters.

    Parameters
    ----------
    name, value : str
        What it is, and the number.
    notes : tuple of str
        Its interval, and what it belongs to.
    """

    name: str
    value: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a reader wants to know first: a sentence, how sure it is, and a few numbers."""

    sentence: str
    caution: str
    facts: tuple[Fact, ...]


def answer(comparison: Comparison) -> Answer:
    """Say what came of it all."""
    done = comparison.done
    if not done:
        return _unfinished(comparison)
    best = done[0]
    facts = [_best(comparison, best)]
    facts += [_against(comparison, best, name) for name in _beside(comparison, best)]
    fastest = _fastest(comparison)
    return Answer(_sentence(comparison, best), _caution(comparison), (*facts, *fastest, _runs(comparison)))


def _unfinished(comparison: Comparison) -> Answer:
    """Say how far a single run got; of several there is nothing to compare."""
    history, status = comparison.runs[0].history, comparison.runs[0].row.status
    if len(comparison.runs) > 1 or not history.rounds:
        return Answer("No run has completed, so there is nothing to compare yet.", "", (_runs(comparison),))
    what = ENDINGS.get(status, f"was {status}")
    facts = [Fact("rounds done", str(history.rounds[-1].number))]
    found = [
        (name, value) for name in ("accuracy", "rmse", "loss") if (value := history.final(name)) is not None
    ]
    facts += [Fact(f"{name} so far", fixed(value)) for name, value in found]
    return Answer(f"The run {what} after round {history.rounds[-1].number}.", "", tuple(facts))


def _sentence(comparison: Comparison, best: Group) -> str:
    found = best.of(comparison.value)
    quality = f"{comparison.quality} {fixed(found.estimate)}"
    whole = f"{quality} {plus_minus(found)}".rstrip()
    ties = [group.label for group in comparison.tied]
    if len(ties) > 1:
        text = f"{listed(ties)} tie for best of {len(comparison.done)} settings: {whole}"
    elif len(comparison.done) > 1:
        text = f"{best.label} did best of {len(comparison.done)} settings: {whole}"
    else:
        text = f"{best.done[0].row.arms[0].name} reached {whole}"
    for name in _beside(comparison, best):
        difference, other = best.against(comparison.value, name), best.of(comparison.value, name)
        text += f", {_apart(comparison, difference)} {name} ({fixed(other.estimate)})"
    return f"{text}."


def _beside(comparison: Comparison, best: Group) -> list[str]:
    """Return the baseline that stands beside it, if one does."""
    names = comparison.baselines[:1]
    return [name for name in names if not math.isnan(best.against(comparison.value, name).estimate)]


def _apart(comparison: Comparison, difference: Interval) -> str:
    """Say in words how far it is from the baseline."""
    value = difference.estimate
    if abs(value) < 5e-5:
        return "the same as"
    direction = "above" if value > 0 else "below"
    if comparison.quality == "accuracy":
        return f"{abs(100 * value):.{1 if abs(value) >= 0.0005 else 2}f} percentage points {direction}"
    return f"{fixed(abs(value))} {direction}"


def _caution(comparison: Comparison) -> str:
    done = comparison.done
    if all(group.seeds < 2 for group in done):
        return "One seed each: how much of a difference is chance is not known." if len(done) > 1 else ""
    if len(done) < 2:
        return ""
    found = leads([dict(group.by_seed(comparison.value, None)) for group in done])
    known = [sure for sure in found if sure is not None]
    if not known:
        return "No two settings have two seeds in common: how much of the lead is chance is not known."
    sure = sum(known)
    if not sure:
        return f"The lead over {_some(len(known), len(known))} may be chance ({WHY})."
    rest = "" if sure == len(known) else "; over the others it may be chance"
    return f"The lead over {_some(sure, len(known))} is more than chance{rest} ({WHY})."


def _some(some: int, others: int) -> str:
    if others == 1:
        return "the other setting"
    return f"all {others} other settings" if some == others else f"{some} of the {others} other settings"


def _best(comparison: Comparison, best: Group) -> Fact:
    found = best.of(comparison.value)
    many = len(comparison.done) > 1
    name = f"best {comparison.quality}" if many else comparison.quality
    seeds = f"n = {counted(found.trials, 'seed')}"
    label = listed([group.label for group in comparison.tied]) if many else ""
    notes = (f"{plus_minus(found)} ({seeds})" if found.known else seeds, label)
    return Fact(name, fixed(found.estimate), tuple(filter(None, notes)))


def _against(comparison: Comparison, best: Group, name: str) -> Fact:
    difference, other = best.against(comparison.value, name), best.of(comparison.value, name)
    notes = (plus_minus(difference), f"{name}: {fixed(other.estimate)}")
    return Fact("difference from the baseline", signed(difference.estimate), tuple(filter(None, notes)))


def _fastest(comparison: Comparison) -> list[Fact]:
    for name in comparison.baselines[:1]:
        groups = [group for group in comparison.done if not math.isnan(group.speed_up(name).estimate)]
        if groups:
            fast = max(groups, key=lambda group: group.speed_up(name).estimate)
            found = fast.speed_up(name)
            many = len(comparison.done) > 1
            notes = (between(found), fast.label if many else "", f"over {name}")
            return [
                Fact(
                    "highest speed-up" if many else "speed-up",
                    fast.mark(name) + times(found.estimate),
                    tuple(filter(None, notes)),
                )
            ]
    timed = [group for group in comparison.done if group.of(lambda arm: arm.seconds).trials]
    if not timed:
        return []
    fast = min(timed, key=lambda group: group.of(lambda arm: arm.seconds).estimate)
    took = seconds(fast.of(lambda arm: arm.seconds).estimate)
    if len(comparison.done) == 1:
        return [Fact("training time", took)]
    return [Fact("shortest training", took, (fast.label,))]


def _runs(comparison: Comparison) -> Fact:
    statuses = Counter(run.row.status for run in comparison.runs)
    done, whole = statuses.pop("completed", 0), len(comparison.runs)
    if not statuses:
        return Fact("runs", str(whole), ("completed",) if whole == 1 else ("all completed",))
    return Fact(
        "runs completed",
        f"{done} of {whole}",
        (listed([f"{number} {status}" for status, number in statuses.items()]),),
    )
