"""A short pilot: what steps, messages and aggregation take here and now, for ``actors=auto``.

It trains the run's model on rows of its training set, with its strategy, on its backend, all workers busy,
and throws the result away. Its random draws have their own stream, and it changes nothing of the run's: the
run that follows has the bits of a run whose number of actors was given.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from fedlocal.actors import one_thread
from fedlocal.autotune.cost_model import FederatedCosts, Sampling
from fedlocal.autotune.fit import Measurement, fit_costs
from fedlocal.availability import Presence, no_absence
from fedlocal.data import Dataset, Partition, Rows, Shards, Slices
from fedlocal.data.skew import NoSkew
from fedlocal.flower.client.clients import DefaultClient, start_runner
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.node.client_runner import node_of
from fedlocal.flower.server.round_loop import Arrays, FederatedRound, RoundLoop
from fedlocal.flower.server.wrapping import innermost
from fedlocal.models import stack_height
from fedlocal.results import TIMED
from fedlocal.schemes.federated_rounds import admission_of, times
from fedlocal.seeds import Stream, generator

if TYPE_CHECKING:
    from fedlocal.flower.grid.backends import Backend
    from fedlocal.models.training_run import NewModel, Training
    from fedlocal.schemes import Scheme

STRETCH = 0.08  # seconds that an actor of the longest probe trains: long enough to compare workers' speeds
CYCLES, AT_LEAST = range(16), 3  # how often each probe is measured, after once that does not count
ENOUGH = 1.0  # seconds after which the fewest cycles are enough ...
SHARE = 0.1  # ... or this part of what the run's steps will take
ENDLESS = 1 << 30  # rounds
STACKED = 4  # steps of an actor in a stack
CROWD = 16  # actors of the largest probe at least, or as many as workers eight times


@dataclass(frozen=True)
class PilotSetting:
    """What a pilot is given of its run, as a `fedlocal.schemes.Setting` has it: the same for every scheme.

    Parameters
    ----------
    scheme : Scheme
        The run's scheme, which declares its pilot.
    strategy : Strategy
        The pilot's own: its state is spoilt.
    held_out : float
        Share of each partition that is held out from training.
    rounds : int
        Of the run: a pilot should be short beside it.
    presences : callable
        Says of a number of actors who is there in each round of the run; None if all are.
    """

    scheme: "Scheme"
    dataset: Dataset
    new_model: "NewModel"
    training: "Training"
    strategy: Any
    backend: "Backend"
    workers: int
    held_out: float
    rounds: int
    presences: Callable[[int], Iterator[Presence] | None] = no_absence

    def sampled(self, sizes: Sequence[int]) -> tuple[Rows, Partition, Slices]:
        """Draw training rows for actors that have so many each; the slices' shards are to be closed."""
        draw, train = partial(generator, self.training.seed, Stream.PILOT), self.dataset.train
        chosen = draw().integers(len(train), size=sum(sizes))
        rows = Rows(train.x[chosen], train.y[chosen])
        partition = Partition(np.arange(len(chosen)), np.cumsum([0, *sizes]))
        shards = Shards.create(rows, partition)
        return rows, partition, Slices(shards, NoSkew(), self.dataset.shape, 0.0, draw, draw)


@dataclass(frozen=True)
class _Probe:
    """Some actors with equally many rows, and rounds of them."""

    actors: range
    rows: int
    rounds: list[FederatedRound] = field(default_factory=list)

    def measurement(self) -> Measurement:
        """Return what a round took."""
        spans = [times(round_) for round_ in self.rounds]
        exchanges = [round_.exchange for round_ in self.rounds if round_.exchange]
        lengths = [[handling.seconds for handling in exchange.handlings] for exchange in exchanges]
        return Measurement(
            actors=len(self.actors),
            rows=self.rows,
            seconds=median(sum(seconds[span] for span in TIMED) for seconds in spans),
            aggregation=median(seconds["aggregation"] for seconds in spans),
            message=median(chain.from_iterable(lengths)),
            spread=median(max(seconds) / (sum(seconds) / len(seconds)) - 1 for seconds in lengths),
        )


def federated_pilot(setting: PilotSetting, candidates: Mapping[int, int]) -> FederatedCosts:
    """Measure rounds of several kinds, in turns, and solve them for the costs.

    As many actors as workers, with a step each, with a step of a quarter of the rows, and with many steps;
    one actor with many steps; and a crowd of actors. `candidates` are numbers of actors, each with how many
    batches make an update.
    """
    training, rows = setting.training, len(setting.dataset.train)
    sampling, step = _take_all(setting), step_seconds(setting)
    probes = _probes(setting, min(candidates), max(candidates), int(STRETCH / step))
    run = setting.rounds * training.local_epochs * rows / training.batch_size * step / setting.workers
    workers = _measure(setting, list(probes.values()), min(ENOUGH, SHARE * run))
    measurements = {name: probe.measurement() for name, probe in probes.items()}
    return fit_costs(measurements, workers, training.batch_size, training.local_epochs, sampling)


def _probes(setting: PilotSetting, least: int, most: int, steps: int) -> dict[str, _Probe]:
    """Divide numbered actors among the probes; some are of two."""
    batch = setting.training.batch_size
    few = min(max(setting.workers, least), most)
    stacked = stack_height(setting.new_model(), batch) > 1
    crowd = most if stacked else max(few, min(most, max(CROWD, 8 * setting.workers)))
    run_steps = -(-len(setting.dataset.train) // (few * batch))  # steps of an actor of the run
    part, many, long = max(1, batch // 4), batch * max(2, min(run_steps, steps)), crowd + few
    probes = {
        "crowd": _Probe(range(crowd), part),
        "part": _Probe(range(few), part),
        "step": _Probe(range(crowd, long), batch),
        "long": _Probe(range(long, long + few), many),
        "alone": _Probe(range(long, long + least), many),
    }
    if stacked:
        probes["stacked"] = _Probe(range(long + few, long + few + crowd), STACKED * batch)
    return probes


def _measure(setting: PilotSetting, probes: Sequence[_Probe], enough: float) -> int:
    """Run rounds of the probes in turns, for `enough` seconds or some more; return how many work at once."""
    sizes = {actor: probe.rows for probe in probes for actor in probe.actors}
    with _rounds(setting, [sizes[actor] for actor in sorted(sizes)]) as (grid, rounds):
        until = time.perf_counter() + enough
        for cycle in CYCLES:
            for probe in probes:
                grid.restrict(range(node_of(probe.actors.start), node_of(probe.actors.stop)))
                round_ = next(rounds)
                if cycle:  # the first one touches memory for the first time
                    probe.rounds.append(round_)
            if cycle >= AT_LEAST and time.perf_counter() > until:
                break
        return grid.last_exchange.workers if grid.last_exchange else 1


def _take_all(setting: PilotSetting) -> Sampling:
    """Have the strategy ask all clients, to train alone; return how it would have sampled them."""
    strategy = innermost(setting.strategy)
    fraction, least = getattr(strategy, "fraction_train", 1.0), getattr(strategy, "min_train_nodes", 1)
    sampling = Sampling(fraction, least, setting.rounds, setting.presences)
    strategy.fraction_train, strategy.fraction_evaluate = 1.0, 0.0
    return sampling


def step_seconds(setting: PilotSetting) -> float:
    """Return about how long a step takes."""
    training, model, rows = setting.training, setting.new_model(), setting.dataset.train
    x, y, seconds = rows.x[: training.batch_size], rows.y[: training.batch_size], []
    with one_thread():
        for _ in range(3):
            started = time.perf_counter()
            replace(training, local_epochs=1).run(model, x, y, partition=0, number=1)
            seconds.append(time.perf_counter() - started)
    return min(seconds)


@contextmanager
def _rounds(
    setting: PilotSetting, sizes: Sequence[int]
) -> Iterator[tuple[LocalGrid, Iterator[FederatedRound]]]:
    """Open a federation of actors with so many rows each; a round is over when the next one is asked for."""
    seed = int(generator(setting.training.seed, Stream.PILOT, 1).integers(2**32))
    training, client = replace(setting.training, seed=seed, local_epochs=1), DefaultClient()
    _, _, slices = setting.sampled(sizes)
    admission = admission_of(client.declaration, setting.strategy, sizes)
    loop = RoundLoop(setting.strategy, ENDLESS, training.seed, _no_evaluation, admission)
    with slices.shards, quiet(), one_thread():
        start = partial(start_runner, client, slices, setting.new_model, training)
        with setting.backend.open(start, np.array(sizes, np.float64), setting.workers) as grid:
            if not isinstance(grid, LocalGrid):
                raise TypeError("a pilot needs local actors")
            yield grid, loop.run(grid, setting.new_model().arrays, after=1)


def _no_evaluation(number: int, arrays: Arrays) -> dict[str, float]:  # noqa: ARG001 - the loop's signature
    return {}
