"""The comparison table: a line for each setting and each baseline, the best first."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from fedlocal.report.baselines import Baseline, baselines
from fedlocal.report.groups import Comparison, Group
from fedlocal.report.number_format import between, listed, plus_minus, seconds, signed, times
from fedlocal.report.settings import label
from fedlocal.report.tables import Cell, Column, Direction, Line, Table
from fedlocal.results.formatting import fixed, share
from fedlocal.results.intervals import Interval

NOTHING = Cell("-")


def _empty(_: Baseline) -> Cell:
    return Cell("")


@dataclass(frozen=True)
class _Measure:
    """A column of numbers: what it says of a setting, and of a baseline."""

    name: str
    of_group: Callable[[Group], Cell]
    of_baseline: Callable[[Baseline], Cell] = _empty


def comparison_table(comparison: Comparison) -> Table:
    """Lay the comparison out; a column in which no line says anything is left out."""
    measures = _measures(comparison)
    lines = [
        (_rank(comparison, one.of(comparison.value)), _group(comparison, one, measures))
        for one in comparison.groups
    ]
    lines += [
        (_rank(comparison, each.of(comparison.value)), _baseline(comparison, each, measures))
        for each in baselines(comparison)
    ]
    keys = [Column(key, "key") for key in (*comparison.keys, "scheme")]
    columns = [Column("setting", "setting"), *keys, *(Column(each.name) for each in measures)]
    ordered = [line for _, line in sorted(lines, key=lambda pair: pair[0])]
    shown = [
        place
        for place, column in enumerate(columns)
        if column.kind != "number" or any(line.cells[place].text not in ("", "-") for line in ordered)
    ]
    cut = [Line(tuple(line.cells[place] for place in shown), line.baseline) for line in ordered]
    direction: Direction = "descending" if comparison.quality == "accuracy" else "ascending"
    return Table(tuple(columns[place] for place in shown), tuple(cut), tuple(_notes(comparison)), direction)


def _measures(comparison: Comparison) -> list[_Measure]:
    of = comparison.value
    loss = _Measure(
        "loss",
        lambda one: _plain(one.of(lambda arm: arm.loss)),
        lambda one: _plain(one.of(lambda arm: arm.loss)),
    )
    return [
        _Measure(comparison.quality, lambda one: _plain(one.of(of)), lambda one: _plain(one.of(of))),
        *[
            _Measure(
                f"{comparison.quality} −\u00a0baseline",
                lambda one: _difference(one.against(of, comparison.baselines[0])),
            )
            for _ in comparison.baselines[:1]
        ],
        *[_Measure(f"speed-up over {name}", partial(_speed_up, name=name)) for name in comparison.baselines],
        _Measure(
            "training time",
            lambda one: _time(one.of(lambda arm: arm.seconds)),
            lambda one: _time(one.of(lambda arm: arm.seconds if arm.ended is None else None, measured=True)),
        ),
        _Measure("efficiency", _efficiency),
        *([loss] if comparison.quality != "loss" else []),
        _Measure("n", _seeds, _seeds),
    ]


def _rank(comparison: Comparison, estimate: Interval) -> float:
    if math.isnan(estimate.estimate):
        return math.inf
    return -estimate.estimate if comparison.quality == "accuracy" else estimate.estimate


def _group(comparison: Comparison, group: Group, measures: list[_Measure]) -> Line:
    scheme = group.done[0].row.arms[0].name if group.done else ""
    whole = group.label if comparison.keys or not scheme else scheme
    words = [Cell(whole), *map(_setting, group.settings), Cell(scheme)]
    if group.done:
        return Line((*words, *(measure.of_group(group) for measure in measures)))
    status = Cell(group.runs[-1].row.status)
    return Line((*words, status, *[NOTHING] * (len(measures) - 2), _seeds(group)))


def _baseline(comparison: Comparison, each: Baseline, measures: list[_Measure]) -> Line:
    known = ["" if value == "any" else value for value in each.settings]
    told = [place for place in comparison.told if known[place]]
    where = f" ({label([comparison.keys[k] for k in told], [known[k] for k in told])})" if told else ""
    words = [Cell(each.name + where), *map(_setting, each.settings), Cell(each.name)]
    return Line((*words, *(measure.of_baseline(each) for measure in measures)), baseline=True)


def _setting(text: str) -> Cell:
    try:
        value = float(text)
    except ValueError:
        return Cell(text)
    return Cell(text, value=value if math.isfinite(value) else None)


def _plain(estimate: Interval) -> Cell:
    return _cell(fixed(estimate.estimate), plus_minus(estimate), estimate)


def _difference(estimate: Interval) -> Cell:
    return _cell(signed(estimate.estimate), plus_minus(estimate), estimate)


def _time(estimate: Interval) -> Cell:
    return _cell(seconds(estimate.estimate), plus_minus(estimate, seconds), estimate)


def _speed_up(group: Group, name: str) -> Cell:
    found = group.speed_up(name)
    return _cell(group.mark(name) + times(found.estimate), between(found), found)


def _efficiency(group: Group) -> Cell:
    value = group.of(lambda arm: arm.efficiency).estimate
    return NOTHING if math.isnan(value) else Cell(share(value), value=value)


def _seeds(one: Group | Baseline) -> Cell:
    return Cell(str(one.seeds), value=one.seeds)


def _cell(text: str, note: str, estimate: Interval) -> Cell:
    return NOTHING if math.isnan(estimate.estimate) else Cell(text, note, estimate.estimate)


def _notes(comparison: Comparison) -> Iterator[str]:
    if any(group.seeds > 1 for group in comparison.groups):
        yield "± and ranges: 95 % intervals over seeds (Student's t; of ratios on their logarithms); n: seeds"
    elif comparison.done:
        yield "n = 1 seed: how much of a difference is due to chance is not known"
    for name in comparison.baselines[:1]:
        yield f"{comparison.quality} − baseline: the difference from {name}, of the same seed"
    reused = any(group.reused(name) for group in comparison.groups for name in comparison.baselines)
    if comparison.baselines:
        beside = "" if reused else ", measured side by side"
        yield f"Speed-up: training time of the baseline / that of the setting, for a row of data{beside}"
    if reused:
        yield "~ against a baseline of another run of the sweep, not measured side by side"
    yield from _doubts(comparison)
    if any(not math.isnan(group.of(lambda arm: arm.efficiency).estimate) for group in comparison.done):
        yield "Efficiency: the part of the workers' time in which they computed"


def _doubts(comparison: Comparison) -> Iterator[str]:
    """Say what a busy machine did to the speed-ups."""
    if any("?" in group.mark(name) for group in comparison.groups for name in comparison.baselines):
        yield "? others had the cores for a part of the time: the ratio may be off"
    hidden = [
        run.name
        for group in comparison.groups
        for run in group.done
        if any(arm.speed_up is not None and arm.is_busy for arm in run.baselines)
    ]
    if hidden:
        yield f"Without the speed-ups of {listed(hidden)}: others had the cores for too much of the time"
    ended = {
        arm.name: None
        for group in comparison.groups
        for run in group.done
        for arm in run.baselines
        if arm.ended
    }
    for name in ended:
        yield f"{name} was ended early where it was far slower than one thread"
