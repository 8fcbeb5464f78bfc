"""The settings side by side: how good each was, and how fast."""

import math
from collections.abc import Callable
from dataclasses import replace

from fedlocal.figures.canvas import POINTS, Drawing, Region, line_style, shortened, unbroken
from fedlocal.figures.curves import Curve, curves_drawing
from fedlocal.figures.rows import PlotRow, estimates, shares
from fedlocal.report.baselines import baselines
from fedlocal.report.groups import RunGroup, SettingsComparison
from fedlocal.report.number_format import listed, times
from fedlocal.report.section import PageFigure, Section, line_entry
from fedlocal.report.sections.box_plots import rounds, seeds
from fedlocal.report.sections.selection import Axis, best, left_out, numeric_axis
from fedlocal.report.sections.timelines import LEGEND
from fedlocal.results.formatting import fixed
from fedlocal.results.intervals import Interval

GroupMeasure = Callable[[RunGroup], Interval]


def quality(comparison: SettingsComparison) -> Section | None:
    """Draw the final accuracy, or loss, of each setting, and of each seed."""
    several = [_quality(comparison)] if len(comparison.done) > 1 else []
    figures = [*several, *filter(None, [seeds(comparison)])]
    if not figures:
        return None
    name = f"Final {comparison.quality}"
    return Section("quality", name, _intro(comparison), tuple(figures), note=left_out(comparison))


def speed(comparison: SettingsComparison) -> Section | None:
    """Draw the speed-up over each baseline, what the workers did with their time, and what rounds took."""
    speed_ups = _speed_ups(comparison) if len(comparison.done) > 1 else []
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


def sweep_drawings(comparison: SettingsComparison) -> list[Drawing]:
    """Return the final quality and the speed-up over the first baseline, for a sheet of their own."""
    return [_captioned(figure) for figure in (_quality(comparison), *_speed_ups(comparison)[:1])]


def _captioned(figure: PageFigure) -> Drawing:
    """Return the drawing of a figure below its title and above its legend, which a page writes itself."""
    drawing, head = figure.drawing, 26.0
    foot = 15.0 * len(figure.legend)

    def draw(region: Region) -> None:
        drawing.draw(replace(region, bottom=region.bottom + foot, height=drawing.height))
        axes = region.figure.axes[-1]
        across, up = POINTS * region.figure.get_size_inches()
        middle = (region.left + region.width / 2) / across
        top = (region.bottom + drawing.height + foot + head - 12) / up
        region.figure.text(
            middle, top, shortened(unbroken(figure.title), region.width), ha="center", va="center"
        )
        if foot and axes.get_lines():
            below = {
                "bbox_to_anchor": (middle, region.bottom / up),
                "bbox_transform": region.figure.transFigure,
            }
            axes.legend(loc="lower center", borderpad=0, **below)

    return Drawing(drawing.width, drawing.height + foot + head, draw)


def _quality(comparison: SettingsComparison) -> PageFigure:
    name = f"final {comparison.quality}"
    base = [baseline for baseline in baselines(comparison) if baseline.name in comparison.baselines[:1]]
    dotted = base[0].of(comparison.value).estimate if len(base) == 1 else None
    more = f" (dotted: {base[0].name})" if dotted is not None else ""
    return _measured(comparison, name, more, lambda group: group.of(comparison.value), fixed, dotted)


def _speed_ups(comparison: SettingsComparison) -> list[PageFigure]:
    """Draw the speed-ups over each baseline that is compared with any setting."""
    names = comparison.baselines
    compared = [name for name in names if any(group.speed_up(name).trials for group in comparison.done)]
    return [_speed_up(comparison, name) for name in compared]


def _speed_up(comparison: SettingsComparison, name: str) -> PageFigure:
    def measure(group: RunGroup) -> Interval:
        return group.speed_up(name)

    return _measured(comparison, "speed-up", f" over {name}", measure, times, 1.0, name)


def _measured(
    comparison: SettingsComparison,
    name: str,
    more: str,
    measure: GroupMeasure,
    write: Callable[[float], str],
    dotted: float | None,
    baseline: str = "",
) -> PageFigure:
    """Draw a measure against a number that was set, if there is such, or else in rows."""
    title = f"{name[0].upper()}{name[1:]}{more}"
    values = [f"{group.label} {write(measure(group).estimate)}" for group in best(comparison)]
    words = f"{title}: {listed(values)}."
    if axis := numeric_axis(comparison):
        column, ticks, _ = axis
        curves = _curves(axis, measure)
        drawing = curves_drawing(
            curves, (comparison.keys[column], name), bars=True, dotted=dotted, values=ticks
        )
        legend = [line_entry(curve.style, curve.label) for curve in curves] if len(curves) > 1 else []
        return PageFigure(title, words, drawing, tuple(legend))
    rows = []
    for group in best(comparison):
        interval, mark = measure(group), group.mark(baseline) if baseline else ""
        note = mark + write(interval.estimate)
        rows.append(PlotRow(group.label, note, interval.estimate, interval.low, interval.high))
    return PageFigure(title, words, estimates(rows, name, dotted))


def _curves(axis: Axis, measure: GroupMeasure) -> list[Curve]:
    _, values, curves = axis
    apart = 0.06 if len(curves) > 1 else 0.0  # intervals would hide one another
    drawn = []
    for index, (rest, by_value) in enumerate(curves.items()):
        at = [number for number, value in enumerate(values) if value in by_value]
        intervals = [measure(by_value[values[number]]) for number in at]
        xs = [number + apart * (index - (len(curves) - 1) / 2) for number in at]
        ends = [interval.low for interval in intervals], [interval.high for interval in intervals]
        drawn.append(Curve(rest, line_style(index), xs, [interval.estimate for interval in intervals], *ends))
    return drawn


def _efficiency(comparison: SettingsComparison) -> PageFigure | None:
    rows = []
    for group in best(comparison):
        computing = group.of(lambda arm: arm.efficiency).estimate
        nobody = group.of(lambda arm: arm.coordination_share).estimate
        if not math.isnan(computing + nobody):
            parts = computing, nobody, max(0.0, 1 - computing - nobody)
            rows.append(PlotRow(group.label, f"{computing:.0%}", values=parts))
    if not rows:
        return None
    words = f"Efficiency, the part of computing: {listed([f'{row.label} {row.note}' for row in rows])}."
    return PageFigure("What the workers spent their time on", words, shares(rows), LEGEND)
