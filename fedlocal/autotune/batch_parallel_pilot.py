"""The pilot of the batch-parallel scheme: short runs of it, with few and with many batches to a wave."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from statistics import median

import numpy as np

from fedlocal.autotune.cost_model import LinearCost, WaveCosts, Workers
from fedlocal.autotune.federated_pilot import STRETCH, PilotSetting, step_seconds
from fedlocal.data import Partition, Rows, Shards, Slices
from fedlocal.data.skew import NoSkew
from fedlocal.results import Round
from fedlocal.schemes.base import Capture, Setting
from fedlocal.seeds import Stream, generator

ROUNDS = 5  # of each kind; the first one touches memory for the first time
MOST_WAVES = 32  # of a round: with a small model, it is messages that take time
MANY = 8  # batches of a large share of a wave


def batch_parallel_pilot(setting: PilotSetting, candidates: Mapping[int, int]) -> WaveCosts:
    """Measure waves of a batch for each worker, of several for each, of several for one; and single steps.

    Parameters
    ----------
    setting : PilotSetting
        What to train, and how.
    candidates : mapping of int to int
        Numbers of actors, and with each, how many batches make an update.
    """
    step, count = step_seconds(setting), setting.workers
    few = _Waves(setting, count, max(2, count), step)
    many = _Waves(setting, count, MANY * count, step)
    share = LinearCost.through((few.share, few.exchange), (many.share, many.exchange))
    workers, single = Workers(count), 0.0
    if count > 1 and share.per_actor:
        alone = _Waves(setting, 1, MANY, step)
        slowed = (alone.exchange - share.fixed) / (alone.share * share.per_actor)
        workers = Workers(count, alone=min(1.0, max(1 / count, slowed)))
    if 1 in candidates.values():
        alone = _Waves(setting, 1, 1, step)
        single = alone.exchange + alone.update
    training = setting.training
    return WaveCosts(
        training.batch_size, training.local_epochs, candidates, workers, single, share, many.update
    )


class _Waves:
    """The times of waves of one kind.

    Attributes
    ----------
    share : int
        Batches that a worker has of each.
    exchange, update : float
        Seconds of a wave, without its update, and of that.
    """

    def __init__(self, setting: PilotSetting, actors: int, accumulate: int, step: float) -> None:
        self.share = accumulate // actors
        waves = max(2, min(MOST_WAVES, int(STRETCH / 2 / (step * self.share))))
        rounds = _rounds(setting, actors, accumulate, waves)[2:]
        self.update = median(round_.seconds["aggregation"] for round_ in rounds) / waves
        self.exchange = median(round_.timed for round_ in rounds) / waves - self.update


def _rounds(setting: PilotSetting, actors: int, accumulate: int, waves: int) -> list[Round]:
    """Run the scheme for some rounds of so many waves."""
    draw, data = partial(generator, setting.training.seed, Stream.PILOT), setting.dataset
    size = waves * accumulate * setting.training.batch_size
    chosen = draw().integers(len(data.train), size=size)
    rows = Rows(data.train.x[chosen], data.train.y[chosen])
    partition = Partition(np.arange(size), np.arange(actors + 1) * size // actors)
    rounds: list[Round] = []

    def note(round_: Round, capture: Capture) -> None:  # noqa: ARG001 - the scheme's signature
        rounds.append(round_)

    with Shards.create(rows, partition) as shards:
        pilot_setting = Setting(
            dataset=replace(data, train=rows, test=Rows(rows.x[:1], rows.y[:1])),
            partition=partition,
            slices=Slices(shards, NoSkew(), data.shape, 0.0, draw, draw),
            new_model=setting.new_model,
            training=replace(setting.training, accumulate=accumulate, local_epochs=1),
            rounds=ROUNDS,
            evaluate_every=ROUNDS,
            strategy=setting.strategy,
            backend=setting.backend,
            workers=setting.workers,
        )
        setting.scheme(pilot_setting, note)
    return rounds
