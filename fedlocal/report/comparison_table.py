"""The comparison table: a row for each setting and each baseline, the best first."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from fedlocal.report.baselines import Baseline, baselines
from fedlocal.report.groups import RunGroup, SettingsComparison
from fedlocal.report.number_format import between, listed, plus_minus, signed, times
from fedlocal.report.settings import label
from fedlocal.report.tables import Cell, Direction, ReportTable, TableColumn, TableRow
from fedlocal.results.arm import Arm
from fedlocal.results.formatting import duration, fixed, share
from fedlocal.results.intervals import Interval

NOTHING = Cell("-")


def _empty(_: Baseline) -> Cell:
    return Cell("")


@dataclass(frozen=True)
class _Measure:
    """A column of numbers, with its cell for a setting and for a baseline."""

    name: str
    of_group: Callable[[RunGroup], Cell]
    of_baseline: Callable[[Baseline], Cell] = _empty


def comparison_table(comparison: SettingsComparison) -> ReportTable:
    """Lay the comparison out; a column in which no row has a value is left out."""
    measures = _measures(comparison)
    ranked = [
        (_rank(comparison, group.of(comparison.value)), _group(comparison, group, measures))
        for group in comparison.groups
    ]
    ranked += [
        (_rank(comparison, baseline.of(comparison.value)), _baseline(comparison, baseline, measures))
        for baseline in baselines(comparison)
    ]
    keys = [TableColumn(key, "key") for key in (*comparison.keys, "scheme")]
    columns = [TableColumn("setting", "setting"), *keys, *(TableColumn(measure.name) for measure in measures)]
    rows = [row for _, row in sorted(ranked, key=lambda pair: pair[0])]
    shown = [
        index
        for index, column in enumerate(columns)
        if column.kind != "number" or any(row.cells[index].text not in ("", "-") for row in rows)
    ]
    cut = [TableRow(tuple(row.cells[index] for index in shown), row.baseline) for row in rows]
    direction: Direction = "descending" if comparison.quality == "accuracy" else "ascending"
    return ReportTable(
        tuple(columns[index] for index in shown), tuple(cut), tuple(_notes(comparison)), direction
    )


def _measures(comparison: SettingsComparison) -> list[_Measure]:
    quality = comparison.value
    return [
        _plain_measure(comparison.quality, quality),
        *[
            _Measure(
                f"{comparison.quality} −\u00a0baseline",
                lambda group: _difference(group.against(quality, comparison.baselines[0])),
            )
            for _ in comparison.baselines[:1]
        ],
        *[_Measure(f"speed-up over {name}", partial(_speed_up, name=name)) for name in comparison.baselines],
        _Measure(
            "training time",
            lambda group: _time(group.of(lambda arm: arm.seconds)),
            lambda baseline: _time(baseline.of(_whole_seconds, measured=True)),
        ),
        _Measure("efficiency", _efficiency),
        *([_plain_measure("loss", lambda arm: arm.loss)] if comparison.quality != "loss" else []),
        _Measure("n", _seeds, _seeds),
    ]


def _plain_measure(name: str, value: Callable[[Arm], float | None]) -> _Measure:
    def cell(repeated: RunGroup | Baseline) -> Cell:
        return _plain(repeated.of(value))

    return _Measure(name, cell, cell)


def _whole_seconds(arm: Arm) -> float | None:
    """Return an arm's training time unless it was ended early."""
    return arm.seconds if arm.ended is None else None


def _rank(comparison: SettingsComparison, estimate: Interval) -> float:
    if math.isnan(estimate.estimate):
        return math.inf
    return -estimate.estimate if comparison.quality == "accuracy" else estimate.estimate


def _group(comparison: SettingsComparison, group: RunGroup, measures: list[_Measure]) -> TableRow:
    scheme = group.done[0].row.arms[0].name if group.done else ""
    whole = group.label if comparison.keys or not scheme else scheme
    words = [Cell(whole), *map(_setting, group.settings), Cell(scheme)]
    if group.done:
        return TableRow((*words, *(measure.of_group(group) for measure in measures)))
    status = Cell(group.runs[-1].row.status)
    return TableRow((*words, status, *[NOTHING] * (len(measures) - 2), _seeds(group)))


def _baseline(comparison: SettingsComparison, baseline: Baseline, measures: list[_Measure]) -> TableRow:
    common = ["" if value == "any" else value for value in baseline.settings]
    shown = [k for k in comparison.distinguishing if common[k]]
    where = f" ({label([comparison.keys[k] for k in shown], [common[k] for k in shown])})" if shown else ""
    words = [Cell(baseline.name + where), *map(_setting, baseline.settings), Cell(baseline.name)]
    return TableRow((*words, *(measure.of_baseline(baseline) for measure in measures)), baseline=True)


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
    return _cell(duration(estimate.estimate), plus_minus(estimate, duration), estimate)


def _speed_up(group: RunGroup, name: str) -> Cell:
    estimate = group.speed_up(name)
    return _cell(group.mark(name) + times(estimate.estimate), between(estimate), estimate)


def _efficiency(group: RunGroup) -> Cell:
    value = group.of(lambda arm: arm.efficiency).estimate
    return NOTHING if math.isnan(value) else Cell(share(value), value=value)


def _seeds(repeated: RunGroup | Baseline) -> Cell:
    return Cell(str(repeated.seeds), value=repeated.seeds)


def _cell(text: str, note: str, estimate: Interval) -> Cell:
    return NOTHING if math.isnan(estimate.estimate) else Cell(text, note, estimate.estimate)


def _notes(comparison: SettingsComparison) -> Iterator[str]:
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


def _doubts(comparison: SettingsComparison) -> Iterator[str]:
    """Say what a busy machine did to the speed-ups."""
    if any("?" in group.mark(name) for group in comparison.groups for name in comparison.baselines):
        yield "? others had the cores for a part of the time: the ratio may be off"
    arms = [(run, arm) for group in comparison.groups for run in group.done for arm in run.baselines]
    hidden = dict.fromkeys(run.name for run, arm in arms if arm.speed_up is not None and arm.is_busy)
    if hidden:
        names = listed(list(hidden))
        yield f"Without the speed-ups of {names}: others had the cores for too much of the time"
    for name in dict.fromkeys(arm.name for _, arm in arms if arm.ended):
        yield f"{name} was ended early where it was far slower than one thread"
