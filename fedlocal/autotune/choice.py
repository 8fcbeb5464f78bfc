"""The number of actors that ``actors=auto`` chooses from predictions; nothing is measured here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

PARTS = ("compute", "exchange", "aggregation", "imbalance")
TOLERANCE = 0.02
"""Predictions this close, relative to the best, count as equal: a pilot knows no better."""


@dataclass(frozen=True)
class Prediction:
    """The seconds that a round with a number of actors is expected to take, by where they come from.

    The cost model says what counts as which. `visited` is the part of the training rows that the actors of a
    round have, on average: below 1 where the strategy samples them, or some are away.
    """

    actors: int
    compute: float
    exchange: float
    aggregation: float
    imbalance: float
    visited: float = 1.0

    @property
    def seconds(self) -> float:
        """Seconds of a round."""
        return self.compute + self.exchange + self.aggregation + self.imbalance

    @property
    def per_pass(self) -> float:
        """Seconds for as many rows as there are: rounds that train on fewer rows are no better for that."""
        return self.seconds / self.visited if self.visited else math.inf


class Costs(Protocol):
    """The measured costs of a scheme, from which any number of actors can be predicted."""

    def predict(self, sizes: NDArray[np.int64]) -> Prediction:
        """Predict a round of actors with so many rows each, int64[actors]."""
        ...


@dataclass(frozen=True)
class Choice:
    """A chosen number of actors, and the predictions that it was chosen from, by ascending number.

    `refused` holds the numbers that could not be chosen, each with the reason.
    """

    chosen: Prediction
    predictions: Sequence[Prediction]
    refused: Mapping[int, str]
    pilot_seconds: float

    @property
    def actors(self) -> int:
        """The number that was chosen."""
        return self.chosen.actors

    def __str__(self) -> str:
        """Say what was chosen and why, on two lines."""
        chosen, predictions = self.chosen, self.predictions
        all_rows = all(prediction.visited == 1 for prediction in predictions)
        parts = ", ".join(f"{part} {getattr(chosen, part) / (chosen.visited or 1):.3g}" for part in PARTS)
        ends = {predictions[0].actors, _fastest(predictions).actors, predictions[-1].actors} - {chosen.actors}
        rest = "".join(f"; {p.actors}: {p.per_pass:.3g} s" for p in predictions if p.actors in ends)
        return (
            f"actors=auto: {chosen.actors} of {predictions[0].actors} to {predictions[-1].actors}, predicted "
            f"{chosen.per_pass:.3g} s a round{'' if all_rows else ' over all rows'} ({parts}){rest}\n"
            f"actors=auto: the fewest within {TOLERANCE:.0%} of the fastest, by a pilot of "
            f"{self.pilot_seconds:.1f} s"
        )

    def as_json(self) -> dict[str, Any]:
        """Return what ``actors.json`` holds."""
        predictions = [
            {**asdict(prediction), "seconds": prediction.seconds, "per_pass": prediction.per_pass}
            for prediction in self.predictions
        ]
        return {
            "actors": self.chosen.actors,
            "tolerance": TOLERANCE,
            "pilot_seconds": self.pilot_seconds,
            "predictions": predictions,
            "refused": self.refused,
        }


def choose(predictions: Sequence[Prediction]) -> Prediction:
    """Return the prediction with the fewest actors among those within `TOLERANCE` of the fastest.

    Fewer actors for the same time are better learning: each has more rows, and a mean of fewer models is
    nearer to what one model would have learnt.
    """
    most = _fastest(predictions).per_pass * (1 + TOLERANCE)
    return min((p for p in predictions if p.per_pass <= most), key=lambda prediction: prediction.actors)


def _fastest(predictions: Sequence[Prediction]) -> Prediction:
    return min(predictions, key=lambda prediction: prediction.per_pass)
