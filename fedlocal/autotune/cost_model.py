"""What a round costs, by the number of actors: the model behind ``actors=auto``.

Pilots measure (`fedlocal.autotune.federated_pilot`, `fedlocal.autotune.batch_parallel_pilot`); here is what
they measure, and what follows from it. All times are in seconds. A prediction says where they come from:
*compute*, the steps, divided evenly among all W workers; *exchange* and *aggregation*; and *imbalance*,
workers without work, because there are fewer actors than workers, parts differ, or workers are not equally
fast. Start-up and evaluation are not in the model: the clock of a round does not count them either.

**Federated.** Actor i of n trains on m_i rows: the partition strategy is asked for each n, so the m_i are
those of the run. W workers take the actors' messages, the longest first.

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

Small models train in stacks, where clients with equally many rows share calls: with k such clients to a
worker, `a` and `h` are ``least + (alone - least) / k``; for other models the two are the same.

The makespan is that of the engine's own order, longest first, on W workers of which the slowest is 1 + d, the
fastest 1 - d times as slow as the mean, and the others evenly between; with k of them busy, work takes
``r + (1 - r) · (k - 1) / (W - 1)`` of its time with all busy. Which worker has the first message is nobody's
choice: two orders of the workers are averaged. Exchange is ``n · h / W + X + n · x``. The bytes of the model
are in h, x and g, which are measured with the run's own. Where a strategy samples actors, or some are away,
rounds are drawn, and seconds are compared per row that they visit: a round is not better for training less.

**Batch-parallel.** A wave is K batches, by default n. The largest of its shares, one for each of min(n, W, K)
workers, has k of them, and it takes ::

    V + k · v · contention + U

with V a wave's messages, v a batch's gradient, added up, and U the update. Where K is 1, a wave is a fused
step of one processor, and takes `u`. A round has ``E · ceil(batches / K)`` waves. More actors mean fewer,
larger updates: what is least is the time of a pass over the data, not the time to an accuracy.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, repeat

import numpy as np
from numpy.typing import NDArray

from fedlocal.autotune.choice import Prediction
from fedlocal.availability import Presence, no_absence, no_dropout


@dataclass(frozen=True)
class LinearCost:
    """Seconds of a round that grow with the number of actors."""

    fixed: float
    per_actor: float

    def at(self, actors: float) -> float:
        """Return the seconds of a round with so many actors."""
        return self.fixed + actors * self.per_actor

    @classmethod
    def through(cls, few: tuple[int, float], many: tuple[int, float]) -> "LinearCost":
        """Return the line through two (actors, seconds), neither part of it below 0."""
        (least, low), (most, high) = few, many
        slope = max(0.0, (high - low) / (most - least)) if most > least else 0.0
        return cls(max(0.0, low - least * slope), slope)


@dataclass(frozen=True)
class SharedCost:
    """The seconds of a cost for a client that shares it with none, and with very many others."""

    alone: float
    least: float

    def at(self, clients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the seconds for each of so many clients."""
        seconds: NDArray[np.float64] = self.least + (self.alone - self.least) / np.maximum(1.0, clients)
        return seconds

    @classmethod
    def measured(cls, alone: float, among: float, clients: float) -> "SharedCost":
        """Return the cost that is `alone` for one client, and `among`, no more, for each of so many."""
        if clients <= 1:
            return cls(alone, alone)
        return cls(alone, max(0.0, (min(alone, among) - alone / clients) / (1 - 1 / clients)))


@dataclass(frozen=True)
class Workers:
    """The speeds of the workers of a run, as a pilot measured them: W, r in ]0, 1] and d in [0, 1[."""

    count: int
    alone: float = 1.0
    spread: float = 0.0

    def makespan(self, work: Sequence[float] | NDArray[np.float64]) -> float:
        """Return the seconds until all work is done, the longest first.

        `work` is the seconds of each message on a worker of mean speed while all workers are busy.
        """
        paces = np.linspace(1 + self.spread, 1 - self.spread, self.count) if self.count > 1 else np.ones(1)
        return sum(self._makespan(sorted(work), order.tolist()) for order in (paces, paces[::-1])) / 2

    def _makespan(self, waiting: list[float], paces: list[float]) -> float:
        left: dict[int, float] = {}  # seconds, on the worker that has it, if all were busy
        now = 0.0
        while waiting or left:
            for worker in range(self.count):
                if waiting and worker not in left:
                    left[worker] = waiting.pop() * paces[worker]
            first = min(left.values())
            now += first * self.contention(len(left))
            left = {worker: rest - first for worker, rest in left.items() if rest > first}
        return now

    def contention(self, busy: int) -> float:
        """Return how long work takes while so many workers are busy, relative to all of them."""
        if self.count == 1:
            return 1.0
        return self.alone + (1 - self.alone) * (busy - 1) / (self.count - 1)


@dataclass(frozen=True)
class Sampling:
    """How many of n actors a strategy asks in a round: ``max(int(fraction · n), least)``, drawn at random.

    `presences` says of a number of actors who is there, and so can be asked, in each round; None if all are.
    The rounds that are drawn are spread over the `rounds` of the run.
    """

    fraction: float = 1.0
    least: int = 1
    rounds: int = 1
    presences: Callable[[int], Iterator[Presence] | None] = no_absence

    def draws(self, actors: int) -> list[NDArray[np.int64]]:
        """Return the actors of some rounds; of one, where all take part. The same in each call."""
        presences, rng = self.presences(actors), np.random.default_rng(actors)
        if presences is None and self._asked(actors) == actors:
            return [np.arange(actors)]
        stride, everybody = max(1, self.rounds // DRAWS), repeat(no_dropout(np.ones(actors, np.bool_)))
        drawn = islice(presences or everybody, 0, stride * DRAWS, stride)
        return [self._draw(presence, rng) for presence in drawn]

    def _draw(self, presence: Presence, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return whose reply comes."""
        there = rng.permutation(np.flatnonzero(presence.available))
        if len(there) < self.least:
            return there[:0]
        asked: NDArray[np.int64] = there[: self._asked(len(there))]
        lost: NDArray[np.bool_] = presence.lost[asked]
        return asked[~lost]

    def _asked(self, actors: int) -> int:
        return min(actors, max(int(actors * self.fraction), self.least))


DRAWS = 32  # rounds that are drawn where actors are sampled


@dataclass(frozen=True)
class FederatedCosts:
    """The costs of the federated scheme, in the letters of the module: a, h, c; W, r, d; X, x; G, g."""

    batch_size: int
    epochs: int
    step: SharedCost
    message: SharedCost
    row: float
    workers: Workers
    exchange: LinearCost
    aggregation: LinearCost
    sampling: Sampling = Sampling()

    def predict(self, sizes: NDArray[np.int64]) -> Prediction:
        """Predict a round; where actors are sampled, the mean of several."""
        draws = [sizes[chosen] for chosen in self.sampling.draws(len(sizes))]
        rounds = np.array([self._round(drawn) for drawn in draws])
        visited = sum(int(drawn.sum()) for drawn in draws) / len(draws) / max(1, int(sizes.sum()))
        compute, exchange, aggregation, imbalance = rounds.mean(axis=0).tolist()
        return Prediction(len(sizes), compute, exchange, aggregation, imbalance, visited)

    def _round(self, sizes: NDArray[np.int64]) -> tuple[float, float, float, float]:
        """Return the seconds of compute, exchange, aggregation and imbalance of one round."""
        workers, (_, kind, count) = self.workers, np.unique(sizes, return_inverse=True, return_counts=True)
        alike = count[kind] / workers.count
        steps = -(-sizes // self.batch_size)
        training = self.epochs * (steps * self.step.at(alike) + sizes * self.row)
        messages = self.message.at(alike)
        makespan, evenly = workers.makespan(training + messages), float((training + messages).sum())
        faster = min(1.0, makespan * workers.count / evenly) / workers.count if evenly else 0.0
        compute, exchange = faster * float(training.sum()), faster * float(messages.sum())
        imbalance = makespan - compute - exchange
        exchange += self.exchange.at(len(sizes))
        return compute, exchange, self.aggregation.at(len(sizes)), imbalance


@dataclass(frozen=True)
class WaveCosts:
    """The costs of the batch-parallel scheme, in the letters of the module: K by actors; W, r; u; V, v; U."""

    batch_size: int
    epochs: int
    accumulate: Mapping[int, int]
    workers: Workers
    step: float
    share: LinearCost
    update: float

    def predict(self, sizes: NDArray[np.int64]) -> Prediction:
        """Predict a round over all rows."""
        actors, batches = len(sizes), -(-int(sizes.sum()) // self.batch_size)
        wave = min(self.accumulate[actors], batches)
        counts = [wave] * (batches // wave) + ([batches % wave] if batches % wave else [])
        waves = np.array([self._wave(count, actors) for count in counts])
        compute, exchange, aggregation, imbalance = (self.epochs * waves.sum(axis=0)).tolist()
        return Prediction(actors, compute, exchange, aggregation, imbalance)

    def _wave(self, count: int, actors: int) -> tuple[float, float, float, float]:
        if self.accumulate[actors] == 1:
            even = self.step / self.workers.count
            return even, 0.0, 0.0, self.step - even
        busy = min(actors, self.workers.count, count)
        shares = np.diff(np.arange(actors + 1) * count // actors)
        shares = shares[shares > 0]  # the coordinator deals batches to actors, and actors to workers
        cuts = np.arange(busy + 1) * len(shares) // busy
        largest = int(np.add.reduceat(shares, cuts[:-1]).max())
        seconds = largest * self.share.per_actor * self.workers.contention(busy)
        compute = min(seconds, count * self.share.per_actor / self.workers.count)
        return compute, self.share.fixed, self.update, seconds - compute
