"""Range checks of the strategies' parameters, in one wording."""

import math

from fedlocal.data.errors import PartitionError


def check_above_zero(strategy: str, **parameters: float) -> None:
    """Refuse what is not a finite number above 0."""
    for name, value in parameters.items():
        if not (math.isfinite(value) and value > 0):
            raise PartitionError(f"{strategy}: {name}={value}, expected a finite number above 0")


def check_within(strategy: str, low: float, high: float, **parameters: float) -> None:
    """Refuse what does not lie in low..high."""
    for name, value in parameters.items():
        if not low <= value <= high:
            raise PartitionError(f"{strategy}: {name}={value}, expected a number from {low:g} to {high:g}")


def check_count(strategy: str, **parameters: int) -> None:
    """Refuse what is not a whole number of at least 1."""
    for name, value in parameters.items():
        if value != int(value) or value < 1:
            raise PartitionError(f"{strategy}: {name}={value}, expected a whole number of at least 1")


def check_choice(strategy: str, choices: tuple[str, ...], **parameters: str) -> None:
    """Refuse what is not one of the choices."""
    for name, value in parameters.items():
        if value not in choices:
            raise PartitionError(f"{strategy}: {name}={value!r}, expected one of {', '.join(choices)}")
