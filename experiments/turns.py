"""What is compared takes turns: whatever else the machine does, it does to all arms alike."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from experiments.rows import Row, row_of

Turns = dict[str, list[float]]
"""The figures of each arm, turn by turn."""


class Arm(Protocol):
    """One of the things compared."""

    @property
    def name(self) -> str:
        """What it is called in the table."""
        ...

    def turn(self) -> float:
        """Run once; return its seconds, or another figure."""
        ...


@dataclass(frozen=True)
class Call:
    """A function as an arm; it returns its own figure."""

    name: str
    function: Callable[[], float]

    def turn(self) -> float:
        """Call it."""
        return self.function()


def timed(name: str, function: Callable[[], object]) -> Call:
    """Return a function as an arm whose figure is the seconds of a call."""

    def seconds() -> float:
        started = time.perf_counter()
        function()
        return time.perf_counter() - started

    return Call(name, seconds)


def alternate(arms: Sequence[Arm], turns: int, rng: random.Random | None = None) -> Turns:
    """Give each arm as many turns, in a new random order each time, after one that warms up and is dropped.

    Parameters
    ----------
    arms : sequence of Arm
        With distinct names.
    turns : int
        Kept turns of each.
    rng : random.Random, optional
        Draws the orders.

    Returns
    -------
    dict of str to list of float
        By name, in the order of `arms`; position k of all lists is from the same turn.
    """
    rng = rng or random.Random(0)
    figures: Turns = {arm.name: [] for arm in arms}
    if len(figures) != len(arms):
        raise ValueError(f"arms need names of their own, got {[arm.name for arm in arms]}")
    for number in range(turns + 1):
        for arm in rng.sample(list(arms), len(arms)):
            figure = arm.turn()
            if number:
                figures[arm.name].append(figure)
    return figures


def ratios(figures: Mapping[str, Sequence[float]], of: str, over: str) -> list[float]:
    """Return one arm's figures divided by another's, turn by turn."""
    return [first / second for first, second in zip(figures[of], figures[over], strict=True)]


def over_first(
    section: str,
    setting: str,
    calls: Mapping[str, Callable[[], object]],
    turns: int,
    note: Callable[[float], str] = lambda seconds: f"{1e6 * seconds:.0f} µs",
    *,
    at_most: Mapping[str, float] | None = None,
    speed_up: bool = False,
) -> Iterator[Row]:
    """Have functions take turns; yield how many times as long as the first each of the others takes.

    Parameters
    ----------
    section, setting : str
        Of the rows.
    calls : mapping of str to callable
        The functions by name.
    turns : int
        Of each.
    note : callable
        Says of the median seconds of a call what stands in the last column; the first has a row of its own.
    at_most : mapping of str to float, optional
        Bounds of the ratios.
    speed_up : bool
        Whether the ratio shall be how many times as fast.
    """
    figures = alternate([timed(name, function) for name, function in calls.items()], turns)
    first, *others = calls
    milliseconds = [1e3 * turn for turn in figures[first]]
    yield row_of(section, setting, first, milliseconds, "ms", note=note(median(figures[first])))
    for name in others:
        of, over = (first, name) if speed_up else (name, first)
        turns_of, bound = ratios(figures, of, over), (at_most or {}).get(name)
        about = note(median(figures[name]))
        yield row_of(section, setting, f"{of} / {over}", turns_of, "x", at_most=bound, note=about)
