"""The study's figures, drawn from its rows in the style of fedlocal's own."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from experiments.figure1.arms import PAPER
from experiments.rows import Row
from fedlocal.figures.canvas import line_style, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS = {"B": 1.0, "KB": 1e3, "MB": 1e6}


class Point(NamedTuple):
    """A row on a figure."""

    x: float
    row: Row


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw the figures for which there are rows; return their files."""
    return [folder / name for name, figure in FIGURES.items() if figure(rows, folder / name)]


def speed_up(rows: Sequence[Row], path: Path) -> bool:
    """Draw speed-up against actors, with the paper's beside it."""
    measured = _points(rows, "speed_up", r"(\d+) actors, 2 workers")
    if not measured:
        return False
    papers = {actors: times for actors, times in PAPER.items() if actors > 1}  # none is measured with 1
    with sheet(path, 6.0, 4.2) as figure:
        axes = figure.subplots()
        axes.axhline(1, color="#666666", linestyle=":", linewidth=1)
        _spread(axes, measured, 0, "fedlocal, 2 workers")
        label = "Bartsch & Du Bois 2023, four CPUs"
        axes.errorbar(list(papers), list(papers.values()), label=label, **line_style(1))
        axes.set_xscale("log", base=2)
        axes.set_xticks(list(papers), list(map(str, papers)))
        axes.set(title="Speed-up over sequential training", xlabel="actors", ylim=(0, None))
        figure.legend(loc="outside lower center", ncols=2)
    return True


def overhead(rows: Sequence[Row], path: Path) -> bool:
    """Draw what a client costs beyond computing against the size of the model."""
    lines = {
        name: _points(rows, "overhead", rf"\d+ clients, ([\d.]+ [KM]?B), {re.escape(name)}", _bytes)
        for name in ("fedavg", "Flower's FedAvg")
    }
    if len(lines["fedavg"]) < 2:
        return False
    with sheet(path, 6.0, 4.2) as figure:
        axes = figure.subplots()
        for index, (name, points) in enumerate(lines.items()):
            _spread(axes, points, index, f"strategy: {name}")
        axes.set(xscale="log", yscale="log", xlabel="model", ylabel="ms per client")
        axes.xaxis.set_major_formatter(lambda x, _: _size(x))
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
        axes.set_title("A round beyond computing, 100 clients")
        figure.legend(loc="outside lower center", ncols=2)
    return True


def registered(rows: Sequence[Row], path: Path) -> bool:
    """Draw the time of a round against the number of registered clients."""
    chosen = [row for row in rows if row.measure == "a round"]
    measured = _points(chosen, "registered", r"(\d+) registered, .*")
    if len(measured) < 2:
        return False
    with sheet(path, 6.0, 4.2) as figure:
        axes = figure.subplots()
        _spread(axes, measured, 0, None)
        axes.set(xscale="log", xlabel="registered clients", ylabel="ms", ylim=(0, None))
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
        axes.set_title("A round of 100 sampled clients, 2.1 MB model")
    return True


FIGURES: dict[str, Callable[[Sequence[Row], Path], bool]] = {
    "speed_up.png": speed_up,
    "overhead.png": overhead,
    "registered.png": registered,
}


def _points(
    rows: Sequence[Row], section: str, pattern: str, number: Callable[[str], float] = float
) -> list[Point]:
    """Return a section's measured rows whose setting has this pattern, by the number in its group."""
    points = [
        Point(number(match[1]), row)
        for row in rows
        if row.section == section and (match := re.fullmatch(pattern, row.setting))
    ]
    return sorted((point for point in points if math.isfinite(point.row.value)), key=lambda point: point.x)


def _spread(axes: "Axes", points: Sequence[Point], index: int, label: str | None) -> None:
    """Draw a line through the medians, with bars from quartile to quartile."""
    middle = [row.value for _, row in points]
    below = [row.value - row.low for _, row in points]
    above = [row.high - row.value for _, row in points]
    x = [point.x for point in points]
    axes.errorbar(x, middle, [below, above], label=label, capsize=2, **line_style(index))


def _bytes(size: str) -> float:
    number, unit = size.split()
    return float(number) * UNITS[unit]


def _size(size: float) -> str:
    unit = max((name for name in UNITS if UNITS[name] <= max(size, 1)), key=UNITS.__getitem__)
    return f"{size / UNITS[unit]:g} {unit}"
