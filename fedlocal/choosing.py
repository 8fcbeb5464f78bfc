"""``actors=auto``: a pilot measures, the cost model predicts, and the number is fixed before training begins.

What each scheme's rounds cost is explained in `fedlocal.schemes.costs`.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.config import Config, ConfigError, build, sampling_problems
from fedlocal.data import Dataset, PartitionError, PartitionStrategy, held_out, traits
from fedlocal.schemes.costs import TOLERANCE, Prediction, choose
from fedlocal.schemes.federated import federated
from fedlocal.schemes.pilot import Pilot, PilotSetting, federated_pilot
from fedlocal.seeds import Stream, generator

logger = logging.getLogger(__name__)

PILOTS: Mapping[Any, Pilot] = {federated: federated_pilot}
"""The schemes that ``actors=auto`` can choose for."""

SERIES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
PER_WORKER = 4  # multiples of the number of workers that are tried beside the series


@dataclass(frozen=True)
class Choice:
    """A number of actors, and what it was chosen from.

    Parameters
    ----------
    chosen : Prediction
        Of the number that was chosen.
    predictions : list of Prediction
        Of all numbers that could be chosen, ascending.
    refused : dict of int to str
        Numbers that could not, and why.
    pilot_seconds : float
        What the pilot took.
    """

    chosen: Prediction
    predictions: list[Prediction]
    refused: dict[int, str]
    pilot_seconds: float

    def __str__(self) -> str:
        """Say what was chosen and why, on two lines."""
        one, others = self.chosen, [each for each in self.predictions if each is not self.chosen]
        parts = ("compute", "exchange", "aggregation", "imbalance")
        where = ", ".join(f"{part} {getattr(one, part):.3g}" for part in parts)
        beside = ", ".join(f"{each.actors}: {each.per_pass:.3g} s" for each in others)
        return (
            f"actors=auto: {one.actors}, predicted {one.per_pass:.3g} s a round ({where}), the fewest within "
            f"{TOLERANCE:.0%} of the best\npilot of {self.pilot_seconds:.1f} s; predicted for other numbers: "
            f"{beside or 'none'}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return what ``actors.json`` holds."""
        predictions = [{**asdict(each), "seconds": each.seconds, "per_pass": each.per_pass} for each in self.predictions]
        return {
            "actors": self.chosen.actors,
            "tolerance": TOLERANCE,
            "pilot_seconds": self.pilot_seconds,
            "predictions": predictions,
            "refused": self.refused,
        }
