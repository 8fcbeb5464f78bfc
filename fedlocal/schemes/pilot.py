"""A short pilot: what steps, messages and aggregation take here and now, for ``actors=auto``.

It trains the run's model on rows of its training set, with its strategy, on its backend, all workers busy,
and throws the result away. Its random draws have a stream of their own, and what it changes is its own: the
run that follows has the bits of one that was told the number of actors.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from fedlocal.actors import one_thread
from fedlocal.data import Dataset, Partition, Rows, Shards, Slices
from fedlocal.data.skew import NoSkew
from fedlocal.flower.admission import WEIGHT, Strict
from fedlocal.flower.grid import LocalGrid
from fedlocal.flower.host import node_of
from fedlocal.flower.logs import quiet
from fedlocal.flower.rounds import Arrays, FederatedRound, RoundLoop
from fedlocal.results import TIMED
from fedlocal.schemes.costs import FederatedCosts, Line, Sampling, Workers
from fedlocal.schemes.federation import start_host, times
from fedlocal.seeds import Stream, generator

if TYPE_CHECKING:
    from fedlocal.flower.backends import Backend
    from fedlocal.flower.client_app import NewModel, Training

STRETCH = 0.08  # seconds that an actor of the longest probe trains: long enough to compare workers' speeds
CYCLES, AT_LEAST = range(16), 3  # how often each probe is measured, after once that does not count
ENOUGH = 1.0  # seconds after which the fewest cycles are enough ...
SHARE = 0.1  # ... or this part of what the run's steps will take
ENDLESS = 1 << 30  # rounds
CROWD = 16  # actors of the largest probe at least, or as many as workers eight times


@dataclass(frozen=True)
class PilotSetting:
    """What a pilot is given: the same for every scheme.

    Parameters
    ----------
    dataset : Dataset
        Of the run.
    new_model : NewModel
        Makes the model with its initial parameters.
    training : Training
        Of the run.
    strategy : Strategy
        The pilot's own: its state is spoilt.
    backend : Backend
        Where clients run.
    workers : int
        How many worker processes, where the backend has any.
    held_out : float
        Share of each partition that is held out from training.
    rounds : int
        Of the run: a pilot should be short beside it.
    """

    dataset: Dataset
    new_model: "NewModel"
    training: "Training"
    strategy: Any
    backend: "Backend"
    workers: int
    held_out: float
    rounds: int


@dataclass(frozen=True)
class _Probe:
    """Some actors with equally many rows, thus steps, and what rounds of them took."""

    actors: range
    steps: int
    rows: int
    rounds: list[FederatedRound]

    def seconds(self, *spans: str) -> float:
        """Return the seconds of a round that these spans took."""
        return median(sum(times(one)[span] for span in spans) for one in self.rounds)

    @property
    def handling(self) -> float:
        """Seconds that a worker took for a message."""
        return median(length for one in self.rounds for length in _lengths(one))

    @property
    def spread(self) -> float:
        """How much longer the longest of a round's messages took than the mean, relative to it."""
        return median(max(own) / (sum(own) / len(own)) - 1 for own in map(_lengths, self.rounds))


def _lengths(one: FederatedRound) -> list[float]:
    handlings = one.exchange.handlings if one.exchange else ()
    return [handling.ended - handling.started for handling in handlings]


def federated_pilot(setting: PilotSetting, candidates: Mapping[int, int]) -> FederatedCosts:
    """Measure rounds of five kinds, in turns, and solve them for the costs.

    As many actors as workers, with a step each, with a step of a quarter of the rows, and with many steps;
    one actor with many steps; and a crowd of actors.

    Parameters
    ----------
    setting : PilotSetting
        What to train, and how.
    candidates : mapping of int to int
        Numbers of actors, and with each, how many batches make an update.
    """
    training, rows = setting.training, len(setting.dataset.train)
    sampling, step = _take_all(setting.strategy), step_seconds(setting)
    few = min(max(setting.workers, min(candidates)), max(candidates))
    crowd = max(few, min(max(candidates), max(CROWD, 8 * setting.workers)))
    own = -(-rows // (few * training.batch_size))  # steps of an actor of the run
    probes = _probes(min(candidates), few, crowd, training.batch_size, max(2, min(own, int(STRETCH / step))))
    sizes = {actor: probe.rows for probe in probes.values() for actor in probe.actors}
    run = setting.rounds * training.local_epochs * rows / training.batch_size * step / setting.workers
    with _rounds(setting, [sizes[actor] for actor in sorted(sizes)]) as (grid, rounds):
        until = time.perf_counter() + min(ENOUGH, SHARE * run)
        for cycle in CYCLES:
            for probe in probes.values():
                grid.restrict(range(node_of(probe.actors.start), node_of(probe.actors.stop)))
                one = next(rounds)
                if cycle:  # the first one touches memory for the first time
                    probe.rounds.append(one)
            if cycle >= AT_LEAST and time.perf_counter() > until:
                break
    return _solved(setting, probes, sampling)


def _probes(least: int, few: int, crowd: int, batch: int, steps: int) -> dict[str, "_Probe"]:
    """Divide numbered actors among the probes; some are of two."""
    part, long = max(1, batch // 4), crowd + few
    return {
        "crowd": _Probe(range(crowd), 1, part, []),
        "part": _Probe(range(few), 1, part, []),
        "step": _Probe(range(crowd, long), 1, batch, []),
        "long": _Probe(range(long, long + few), steps, steps * batch, []),
        "alone": _Probe(range(long, long + least), steps, steps * batch, []),
    }


def _take_all(strategy: Any) -> Sampling:
    """Have a strategy ask all clients, to train alone; return how it would have sampled them."""
    sampling = Sampling(getattr(strategy, "fraction_train", 1.0), getattr(strategy, "min_train_nodes", 1))
    strategy.fraction_train, strategy.fraction_evaluate = 1.0, 0.0
    return sampling


def step_seconds(setting: PilotSetting) -> float:
    """Return about how long a step takes."""
    training, model, rows = setting.training, setting.new_model(), setting.dataset.train
    x, y, taken = rows.x[: training.batch_size], rows.y[: training.batch_size], []
    with one_thread():
        for _ in range(3):
            begun = time.perf_counter()
            replace(training, local_epochs=1).run(model, x, y, partition=0, number=1)
            taken.append(time.perf_counter() - begun)
    return min(taken)


@contextmanager
def _rounds(
    setting: PilotSetting, sizes: Sequence[int]
) -> Iterator[tuple[LocalGrid, Iterator[FederatedRound]]]:
    """Open a federation of actors with so many rows each; a round is over when the next one is asked for."""
    draw = partial(generator, setting.training.seed, Stream.PILOT)
    chosen = draw().integers(len(setting.dataset.train), size=sum(sizes))
    partition = Partition(np.arange(len(chosen)), np.concatenate([[0], np.cumsum(sizes)]))
    shards = Shards.create(Rows(setting.dataset.train.x[chosen], setting.dataset.train.y[chosen]), partition)
    training = replace(setting.training, seed=int(draw(1).integers(2**32)), local_epochs=1)
    strategy, weighted_by = setting.strategy, getattr(setting.strategy, "weighted_by_key", WEIGHT)
    admission = Strict(sizes, weighted_by=weighted_by, losses=["train-loss"])
    loop = RoundLoop(strategy, ENDLESS, training.seed, _no_evaluation, admission)
    with shards, quiet(), one_thread():
        slices = Slices(shards, NoSkew(), (), 0.0, draw, draw)
        start = partial(start_host, slices, setting.new_model, training)
        with setting.backend.open(start, np.array(sizes, np.float64), setting.workers) as grid:
            yield grid, loop.run(grid, setting.new_model().arrays, after=1)


def _no_evaluation(number: int, arrays: Arrays) -> dict[str, float]:  # noqa: ARG001 - the loop's
    return {}


def _solved(setting: PilotSetting, probes: dict[str, _Probe], sampling: Sampling) -> FederatedCosts:
    """Find the costs with which the model predicts what the probes took."""
    crowd, part, step, long = (probes[name] for name in ("crowd", "part", "step", "long"))
    exchange = long.rounds[0].exchange
    workers = Workers(exchange.workers if exchange else 1)
    if workers.count > 1:
        alone = min(1.0, max(1 / workers.count, probes["alone"].handling / long.handling))
        workers = replace(workers, alone=alone, spread=min(0.5, long.spread))
    full = max(0.0, (long.handling - step.handling) / (long.steps - 1))
    message = max(0.0, step.handling - full)
    less, fewer = max(0.0, step.handling - part.handling), step.rows - part.rows
    row = min(less / fewer, full / step.rows) if fewer else 0.0
    base = FederatedCosts(
        batch_size=setting.training.batch_size,
        epochs=setting.training.local_epochs,
        step=full - step.rows * row,
        row=row,
        message=message,
        workers=workers,
        exchange=Line(0.0, 0.0),
        aggregation=Line(0.0, 0.0),
        sampling=sampling,
    )

    def rest(probe: _Probe) -> float:
        known = replace(base, epochs=1, sampling=Sampling()).predict(np.full(len(probe.actors), probe.rows))
        return probe.seconds(*TIMED) - probe.seconds("aggregation") - known.seconds

    few, many = len(part.actors), len(crowd.actors)
    return replace(
        base,
        exchange=Line.through((few, rest(part)), (many, rest(crowd))),
        aggregation=Line.through((few, part.seconds("aggregation")), (many, crowd.seconds("aggregation"))),
    )
