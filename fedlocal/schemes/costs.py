"""What a round costs, by the number of actors: the model behind ``actors=auto``, and the choice.

Nothing is measured here: `fedlocal.schemes.pilot` measures, `FederatedCosts` predicts, `choose` decides, and
given the same measurements they always give the same answer.

**The federated scheme.** Actor i of n trains on m_i rows: the partition strategy is asked for each n, so the
m_i are those of the run. W workers take the actors' messages, the longest first. All times are in seconds.

====  ==============================================================================================
a     a step, whatever its rows: the calls, the update of all parameters
c     a row of a step
h     a message in its worker: the model read and loaded, the reply written
r     how long work takes where one worker alone is busy, against all W being busy; at most 1
d     how much slower than the mean the slowest of W workers is with equal work at the same time
x, X  exchange: of each message beside its work in a worker, and of each round
g, G  aggregation, likewise: what is left of it when the last actor is done
====  ==============================================================================================

An actor works for ``w_i = h + E · (s_i · a + m_i · c)``, with E local epochs of ``s_i = ceil(m_i / batch)``
steps: a last batch that is not full costs a whole `a`. A round takes ::

    makespan(w_1 … w_n) + (X + n · x) + (G + n · g)

The makespan is that of the engine's own order, longest first, on W workers of which the slowest is 1 + d, the
fastest 1 - d times as slow as the mean, and the others evenly between; with k of them busy, work takes
``r + (1 - r) · (k - 1) / (W - 1)`` of its time with all busy. Which worker has the first message is nobody's
choice: two orders of the workers are averaged. A prediction says where its seconds come from:

- compute: the steps, divided evenly among all W workers;
- exchange: ``n · h / W + X + n · x``;
- aggregation: ``G + n · g``;
- imbalance: what is left: workers without work, because there are fewer actors than workers, because parts
  differ, or because workers are not equally fast.

The model of n bytes is in h, x and g: they are measured with the run's own model. Not in the model: start-up
and evaluation, which the clock of a round does not count either.
"""

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
    """What a round is expected to take with a number of actors.

    Parameters
    ----------
    actors : int
        How many.
    compute, exchange, aggregation, imbalance : float
        Seconds of a round; the module says what counts as which.
    visited : float
        The part of the training rows that the actors of a round have, on average: below 1 where the strategy
        samples them.
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
        return self.seconds / self.visited


class Costs(Protocol):
    """The measured costs of a scheme, from which any number of actors can be predicted."""

    def predict(self, sizes: NDArray[np.int64]) -> Prediction:
        """Predict a round.

        Parameters
        ----------
        sizes : ndarray of int64, shape (actors,)
            Rows that each actor trains on.
        """
        ...


@dataclass(frozen=True)
class Choice:
    """A number of actors, and what it was chosen from.

    Parameters
    ----------
    chosen : Prediction
        Of the number that was chosen.
    predictions : sequence of Prediction
        Of all numbers that could be, ascending.
    refused : mapping of int to str
        Numbers that could not, and why.
    pilot_seconds : float
        What the pilot took.
    """

    chosen: Prediction
    predictions: Sequence[Prediction]
    refused: Mapping[int, str]
    pilot_seconds: float

    def __str__(self) -> str:
        """Say what was chosen and why, on two lines."""
        one, numbers = self.chosen, [each.actors for each in self.predictions]
        parts = ", ".join(f"{part} {getattr(one, part):.3g}" for part in PARTS)
        fastest = min(self.predictions, key=lambda each: each.per_pass)
        beside = {each.actors: each for each in (self.predictions[0], fastest, self.predictions[-1])}
        beside.pop(one.actors, None)
        others = "".join(f"; {actors}: {each.per_pass:.3g} s" for actors, each in sorted(beside.items()))
        return (
            f"actors=auto: {one.actors} of {numbers[0]} to {numbers[-1]}, predicted {one.per_pass:.3g} s a "
            f"round ({parts}){others}\n"
            f"actors=auto: the fewest within {TOLERANCE:.0%} of the fastest, by a pilot of "
            f"{self.pilot_seconds:.1f} s; all predictions are in actors.json"
        )

    def as_json(self) -> dict[str, Any]:
        """Return what ``actors.json`` holds."""
        predictions = [
            {**asdict(each), "seconds": each.seconds, "per_pass": each.per_pass} for each in self.predictions
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
    best = min(each.per_pass for each in predictions)
    return min(
        (each for each in predictions if each.per_pass <= best * (1 + TOLERANCE)),
        key=lambda each: each.actors,
    )


@dataclass(frozen=True)
class Line:
    """Seconds that grow with the number of actors.

    Parameters
    ----------
    fixed : float
        Of a round.
    per_actor : float
        Of each actor in it.
    """

    fixed: float
    per_actor: float

    def at(self, actors: float) -> float:
        """Return the seconds of a round with so many actors."""
        return self.fixed + actors * self.per_actor

    @classmethod
    def through(cls, few: tuple[int, float], many: tuple[int, float]) -> "Line":
        """Return the line through two (actors, seconds), neither part of it below 0."""
        (least, low), (most, high) = few, many
        slope = max(0.0, (high - low) / (most - least)) if most > least else 0.0
        return cls(max(0.0, low - least * slope), slope)


@dataclass(frozen=True)
class Workers:
    """The workers of a run, as a pilot found them.

    Parameters
    ----------
    count : int
        W, at least 1.
    alone : float
        r, above 0 and at most 1.
    spread : float
        d, at least 0 and below 1.
    """

    count: int
    alone: float = 1.0
    spread: float = 0.0

    def makespan(self, work: Sequence[float] | NDArray[np.float64]) -> float:
        """Return the seconds until all work is done, the longest first.

        Parameters
        ----------
        work : sequence of float
            Seconds of each message on a worker of mean speed while all workers are busy.
        """
        paces = np.linspace(1 + self.spread, 1 - self.spread, self.count) if self.count > 1 else np.ones(1)
        both = [self._makespan(work, order.tolist()) for order in (paces, paces[::-1])]
        return sum(both) / 2

    def _makespan(self, work: Sequence[float] | NDArray[np.float64], paces: list[float]) -> float:
        waiting = sorted(work)
        left: dict[int, float] = {}  # seconds, on the worker that has it, if all were busy
        now = 0.0
        while waiting or left:
            for worker in range(self.count):
                if waiting and worker not in left:
                    left[worker] = waiting.pop() * paces[worker]
            first = min(left.values())
            now += first * self._contention(len(left))
            left = {worker: rest - first for worker, rest in left.items() if rest > first}
        return now

    def _contention(self, busy: int) -> float:
        if self.count == 1:
            return 1.0
        return self.alone + (1 - self.alone) * (busy - 1) / (self.count - 1)


@dataclass(frozen=True)
class Sampling:
    """How many actors a strategy asks in a round: ``max(int(fraction · n), least)``, drawn at random.

    Parameters
    ----------
    fraction : float
        Above 0, at most 1.
    least : int
        At least 1.
    """

    fraction: float = 1.0
    least: int = 1

    def draws(self, actors: int) -> list[NDArray[np.int64]]:
        """Return the actors of some rounds; of one, where all take part. The same in each call."""
        size = min(actors, max(int(actors * self.fraction), self.least))
        if size == actors:
            return [np.arange(actors)]
        rng = np.random.default_rng(actors)
        return [rng.permutation(actors)[:size] for _ in range(DRAWS)]


DRAWS = 32  # rounds that are drawn where actors are sampled


@dataclass(frozen=True)
class FederatedCosts:
    """The costs of the federated scheme; the module explains the model.

    Parameters
    ----------
    batch_size, epochs : int
        Rows of a step; passes that an actor makes in a round.
    step, row, message : float
        a, c and h.
    workers : Workers
        W, r and d.
    exchange, aggregation : Line
        X and x; G and g.
    sampling : Sampling
        Who takes part in a round.
    """

    batch_size: int
    epochs: int
    step: float
    row: float
    message: float
    workers: Workers
    exchange: Line
    aggregation: Line
    sampling: Sampling = Sampling()

    def training(self, sizes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the seconds of each actor's steps, shape (actors,)."""
        steps = -(-sizes // self.batch_size)
        seconds: NDArray[np.float64] = self.epochs * (steps * self.step + sizes * self.row)
        return seconds

    def predict(self, sizes: NDArray[np.int64]) -> Prediction:
        """Predict a round; where actors are sampled, the mean of several."""
        draws = [sizes[chosen] for chosen in self.sampling.draws(len(sizes))]
        rounds = np.array([self._round(own) for own in draws])
        visited = sum(int(own.sum()) for own in draws) / len(draws) / max(1, int(sizes.sum()))
        compute, exchange, aggregation, imbalance = rounds.mean(axis=0).tolist()
        return Prediction(len(sizes), compute, exchange, aggregation, imbalance, visited)

    def _round(self, sizes: NDArray[np.int64]) -> tuple[float, float, float, float]:
        """Return the seconds of compute, exchange, aggregation and imbalance of one round."""
        training, workers = self.training(sizes), self.workers
        compute, messages = training.sum() / workers.count, len(sizes) * self.message / workers.count
        makespan = workers.makespan(training + self.message)
        exchange = messages + self.exchange.at(len(sizes))
        return compute, exchange, self.aggregation.at(len(sizes)), makespan - compute - messages
