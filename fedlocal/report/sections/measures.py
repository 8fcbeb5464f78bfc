"""The settings side by side: how good each was, and how fast."""

import math
from collections.abc import Callable

from fedlocal.report.baselines import baselines
from fedlocal.report.groups import RunGroup, SettingsComparison
from fedlocal.report.number_format import listed, times
from fedlocal.report.section import Section
from fedlocal.report.sections.axis import Axis, numeric_axis
from fedlocal.report.sections.box_plots import rounds, seeds
from fedlocal.report.sections.selection import STATES, best, left_out
from fedlocal.report.svg.element import Figure
from fedlocal.report.svg.lines import PlotLine, lines
from fedlocal.report.svg.rows import PlotRow, estimates, shares
from fedlocal.results.formatting import fixed
from fedlocal.results.intervals import Interval

GroupMeasure = Callable[[RunGroup], Interval]


def quality(comparison: SettingsComparison) -> Section | None:
    """Draw the final accuracy, or loss, of each setting, and of each seed."""
    figures = [figure for figure in (_quality(comparison), seeds(comparison)) if figure]
    if not figures:
        return None
    name = f"Final {comparison.quality}"
    return Section("quality", name, _intro(comparison), tuple(figures), note=left_out(comparison))


def speed(comparison: SettingsComparison) -> Section | None:
    """Draw the speed-up over each baseline, what the workers did with their time, and what rounds took."""
    speed_ups = [figure for name in comparison.baselines if (figure := _speed_up(comparison, name))]
    figures = [*speed_ups, *filter(None, (_efficiency(comparison), rounds(comparison)))]
    if not figures:
        return None
    intro = ""
    if speed_ups:
        intro = f"Speed-up: how many times as fast as the baseline; dotted: as fast. {_intro(comparison)}"
        if any(group.reused(name) for group in comparison.done for name in comparison.baselines):
            intro += " ~ marks baselines of another run of the sweep, not measured side by side."
    return Section("speed", "Speed and efficiency", intro, tuple(figures), note=left_out(comparison))


def _intro(comparison: SettingsComparison) -> str:
    if any(group.seeds > 1 for group in comparison.done):
        return "Means over seeds with their 95 % intervals (Student's t); long ones are cut off at the edge."
    return "One seed each." if len(comparison.done) > 1 else ""


def _quality(comparison: SettingsComparison) -> Figure | None:
    if len(comparison.done) < 2:
        return None
    name = f"final {comparison.quality}"
    base = [baseline for baseline in baselines(comparison) if baseline.name in comparison.baselines[:1]]
    dotted = base[0].of(comparison.value).estimate if len(base) == 1 else None
    more = f" (dotted: {base[0].name})" if dotted is not None else ""
    return _measured(comparison, name, more, lambda group: group.of(comparison.value), fixed, dotted=dotted)


def _speed_up(comparison: SettingsComparison, name: str) -> Figure | None:
    if len(comparison.done) < 2 or all(
        math.isnan(group.speed_up(name).estimate) for group in comparison.done
    ):
        return None

    def measure(group: RunGroup) -> Interval:
        return group.speed_up(name)

    return _measured(comparison, "speed-up", f" over {name}", measure, times, dotted=1.0, baseline=name)


def _measured(
    comparison: SettingsComparison,
    name: str,
    more: str,
    measure: GroupMeasure,
    write: Callable[[float], str],
    *,
    dotted: float | None = None,
    baseline: str = "",
) -> Figure:
    """Draw a measure against a number that was set, if there is such, or else in rows."""
    title = f"{name[0].upper()}{name[1:]}{more}"
    values = [f"{group.label} {write(measure(group).estimate)}" for group in best(comparison)]
    words = f"{title}: {listed(values)}."
    axis = numeric_axis(comparison)
    if axis:
        return _against_axis(comparison, axis, (title, words, name), measure, dotted)
    rows = []
    for group in best(comparison):
        interval, mark = measure(group), group.mark(baseline) if baseline else ""
        note = mark + write(interval.estimate)
        rows.append(PlotRow(group.label, note, value=interval.estimate, low=interval.low, high=interval.high))
    return estimates(rows, title, words, name, dotted=dotted)


def _against_axis(
    comparison: SettingsComparison,
    axis: Axis,
    words: tuple[str, str, str],
    measure: GroupMeasure,
    dotted: float | None,
) -> Figure:
    column, values, curves = axis
    title, description, name = words
    apart = 0.06 if len(curves) > 1 else 0.0  # intervals would hide one another
    drawn = []
    for index, (rest, by_value) in enumerate(curves.items()):
        at = [number for number, value in enumerate(values) if value in by_value]
        intervals = [measure(by_value[values[number]]) for number in at]
        xs = [number + apart * (index - (len(curves) - 1) / 2) for number in at]
        ends = [interval.low for interval in intervals], [interval.high for interval in intervals]
        drawn.append(PlotLine(rest, f"s{index}", xs, [interval.estimate for interval in intervals], *ends))
    ticks = list(enumerate(values))
    return lines(
        drawn,
        title,
        description,
        (comparison.keys[column], name),
        marked=True,
        dotted=dotted,
        zero=name == "speed-up",
        x_ticks=ticks,
    )


def _efficiency(comparison: SettingsComparison) -> Figure | None:
    rows = []
    for group in best(comparison):
        computing = group.of(lambda arm: arm.efficiency).estimate
        nobody = group.of(lambda arm: arm.coordination_share).estimate
        if not math.isnan(computing + nobody):
            rows.append((group.label, (computing, nobody, max(0.0, 1 - computing - nobody))))
    if not rows:
        return None
    efficiencies = listed([f"{name} {parts[0]:.0%}" for name, parts in rows])
    return shares(
        rows,
        "What the workers spent their time on",
        f"Efficiency, the part of computing: {efficiencies}.",
        STATES,
    )
