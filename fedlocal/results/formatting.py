"""How numbers are written for people: short, and of one width in a column."""

import math
import re
from functools import lru_cache


def fixed(value: float | None) -> str:
    """Write an accuracy or a loss: four decimals, ``-`` where there is none.

    Examples
    --------
    >>> fixed(0.97222), fixed(123456.0), fixed(None)
    ('0.9722', '1.235e+05', '-')
    """
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 1000 or not math.isfinite(value) else f"{value:.4g}"


def is_finite(text: str) -> bool:
    """Tell whether a text is a finite number.

    Examples
    --------
    >>> is_finite("1e-3"), is_finite("inf"), is_finite("mlp")
    (True, False, False)
    """
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def ratio(value: float | None) -> str:
    """Write a ratio such as a speed-up.

    Examples
    --------
    >>> ratio(1.8349), ratio(0.82), ratio(None)
    ('1.83x', '0.82x', '-')
    """
    return "-" if value is None else f"{value:.2f}x"


def share(value: float | None) -> str:
    """Write a part of a whole in percent.

    Examples
    --------
    >>> share(0.042), share(None)
    ('4 %', '-')
    """
    return "-" if value is None else f"{100 * value:.0f} %"


def duration(seconds: float | None) -> str:
    """Write a time in the two units that matter.

    Examples
    --------
    >>> duration(0.0123), duration(4.567), duration(83), duration(4000)
    ('12 ms', '4.57 s', '1 min 23 s', '1 h 07 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    if seconds < 3570:
        return f"{round(seconds) // 60} min {round(seconds) % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def printable(text: str) -> str:
    """Return a text without control characters, but for line breaks and tabs: they are replaced."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", text)


@lru_cache(1024)  # it is asked of the same few names for each actor and round
def harmless(text: str) -> str:
    r"""Return a cell of a CSV file that no spreadsheet takes for a formula, and no terminal for a command.

    What begins as a formula does gets an apostrophe before it, unless it is a number.

    Examples
    --------
    >>> harmless("=1+1"), harmless("-0.5"), harmless("actors=4"), harmless("\x1b[2J")
    ("'=1+1", '-0.5', 'actors=4', '�[2J')
    """
    shown = printable(text)
    if not re.match(r"\s*[=+@\-\uff0b\uff0d\uff1d\uff20]|[\t\n]", shown):
        return shown
    try:
        float(shown)
    except ValueError:
        return f"'{shown}"
    return shown
