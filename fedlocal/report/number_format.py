"""The format of estimates and their intervals, of differences and ratios, with a real minus sign."""

import math
from collections.abc import Callable, Sequence

from fedlocal.results.formatting import fixed
from fedlocal.results.intervals import Interval


def plus_minus(estimate: Interval, write: Callable[[float], str] = fixed) -> str:
    """Write half the length of an interval, nothing where it is not known.

    Examples
    --------
    >>> plus_minus(Interval(0.95, 0.94, 0.96, 3)), plus_minus(Interval(0.95, float("nan"), float("nan"), 1))
    ('± 0.0100', '')
    """
    return f"± {write((estimate.high - estimate.low) / 2)}" if estimate.has_ends else ""


def between(estimate: Interval) -> str:
    """Write the ends of an interval of a ratio, nothing where they are not known."""
    return f"{_ratio(estimate.low)}–{_ratio(estimate.high)}" if estimate.has_ends else ""


def signed(value: float) -> str:
    """Write a difference with its sign.

    Examples
    --------
    >>> signed(-0.0111), signed(0.5), signed(-1e-9), signed(float("nan"))
    ('−0.0111', '+0.5000', '0.0000', '-')
    """
    if math.isnan(value):
        return "-"
    if float(fixed(value)) == 0:
        return fixed(0.0)
    return fixed(value).replace("-", "−") if value < 0 else f"+{fixed(value)}"


def times(value: float) -> str:
    """Write a ratio with a multiplication sign, nothing where it is not known.

    Examples
    --------
    >>> times(1.834), times(11.42), times(float("nan"))
    ('1.83×', '11.4×', '-')
    """
    return "-" if math.isnan(value) else f"{_ratio(value)}×"


def _ratio(value: float) -> str:
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def listed(words: Sequence[str]) -> str:
    """Write words as a sentence lists them.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def counted(number: int, word: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> counted(1, "run"), counted(2, "run")
    ('1 run', '2 runs')
    """
    return f"{number} {word}{'' if number == 1 else 's'}"
