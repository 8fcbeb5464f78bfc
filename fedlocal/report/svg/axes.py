"""Scales, their ticks, and the frame of a plot of lines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from fedlocal.report.svg.element import CHARACTER, WIDTH, element, text

LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 10.0, 36.0
HEIGHT = 230.0


@dataclass(frozen=True)
class Scale:
    """Maps values to positions.

    Parameters
    ----------
    low, high : float
        The values at the ends, `high` above `low`.
    start, end : float
        Their positions.
    log : bool
        Whether equal factors are equally far apart; then `low` is above 0.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the position of a value."""
        low, high, value = (map(math.log, (self.low, self.high, value)) if self.log
                            else (self.low, self.high, value))  # fmt: skip
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def ticks(self, most: int) -> list[float]:
        """Return round values between the ends."""
        if self.log:
            return _powers(self.low, self.high, most)
        step = round_step((self.high - self.low) / most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def round_step(least: float) -> float:
    """Return the least of 1, 2, 5, 10, … and their tenths that is no less.

    Examples
    --------
    >>> round_step(3), round_step(0.15)
    (5.0, 0.2)
    """
    power = 10.0 ** math.floor(math.log10(least))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= least * (1 - 1e-9))


def _powers(low: float, high: float, most: int) -> list[float]:
    powers = [
        digit * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for digit in ((1, 2, 5) if high / low < 10**most else (1,))
        if low * (1 - 1e-9) <= digit * 10.0**power <= high * (1 + 1e-9)
    ]
    if len(powers) <= 2 * most:
        return powers
    return [value for value in powers if math.log10(value).is_integer()]


def padded(values: Sequence[float], *, zero: bool = False) -> tuple[float, float]:
    """Return ends that leave some room around values; `zero` makes 0 the lower one."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.06 * (high - low) or 0.06 * abs(high) or 0.5
    return (0.0 if zero else low - room, high + room)


def reach(values: Sequence[float]) -> tuple[float, float]:
    """Return how far an axis may go beyond values for their intervals, which are cut off there."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max(high - low, 0.25 * abs(high))
    return low - room, high + room


def number(value: float) -> str:
    """Write the number of a tick.

    Examples
    --------
    >>> number(0.30000000000000004), number(20000), number(2.5e6)
    ('0.3', '20k', '2.5M')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.4g}{unit}"
    return f"{value:.4g}"


@dataclass(frozen=True)
class PlotFrame:
    """Two axes with their names; without names for its ticks the horizontal one has whole numbers."""

    x: Scale
    y: Scale
    x_name: str
    y_name: str
    x_ticks: Sequence[tuple[float, str]] = ()

    def elements(self) -> list[Element]:
        """Return the grid, the numbers and the names."""
        left, right = sorted((self.x.start, self.x.end))
        bottom = max(self.y.start, self.y.end)
        grid = "".join(f"M{left:.1f} {self.y(value):.1f}H{right:.1f}" for value in self.y.ticks(7))
        parts = [element("path", d=grid, class_="grid")]
        parts += [text(number(value), left - 5, self.y(value) + 3.5, "tick end") for value in self.y.ticks(7)]
        parts += [text(name, self.x(value), bottom + 14, "tick middle") for value, name in self._across()]
        parts.append(text(self.x_name, (left + right) / 2, bottom + 29, "name middle"))
        middle = (bottom + min(self.y.start, self.y.end)) / 2
        parts.append(text(self.y_name, 11, middle, "name middle", upright=True))
        return parts

    def _across(self) -> list[tuple[float, str]]:
        """Return the horizontal axis' ticks, as many of them as there is room for."""
        whole = (value for value in self.x.ticks(6) if value.is_integer())
        ticks = list(self.x_ticks) or [(value, number(value)) for value in whole]
        room = max((len(name) for _, name in ticks), default=1) * CHARACTER + 6
        step = max(1, math.ceil(len(ticks) * room / abs(self.x.end - self.x.start)))
        return ticks[::step]


def frame(
    xs: tuple[float, float], ys: tuple[float, float], x_name: str, y_name: str, *, log: bool = False,
    x_ticks: Sequence[tuple[float, str]] = (),
) -> PlotFrame:  # fmt: skip
    """Return a frame of the usual size around ranges of values."""
    x = Scale(*xs, LEFT, WIDTH - RIGHT)
    return PlotFrame(x, Scale(*ys, HEIGHT - BOTTOM, TOP, log), x_name, y_name, x_ticks)
