"""The pilot of the batch-parallel scheme: short runs of it, with few and with many batches to a wave."""

from collections.abc import Mapping
from dataclasses import replace
from statistics import median

import numpy as np

from fedlocal.autotune.cost_model import LinearCost, WaveCosts, Workers
from fedlocal.autotune.federated_pilot import STRETCH, PilotSetting, step_seconds
from fedlocal.data import Rows
from fedlocal.results import Round
from fedlocal.schemes.base import Capture, Setting

ROUNDS = 5  # of each kind; the first one touches memory for the first time
MOST_WAVES = 32  # of a round: with a small model, it is messages that take time
MANY = 8  # batches of a large share of a wave


def batch_parallel_pilot(setting: PilotSetting, candidates: Mapping[int, int]) -> WaveCosts:
    """Measure waves of a batch for each worker, of several for each, of several for one; and single steps.

    `candidates` are numbers of actors, each with how many batches make an update.
    """
    training, step, count = setting.training, step_seconds(setting), setting.workers
    fewest = max(2, count)
    few, _ = _wave_seconds(setting, count, fewest, step)
    many, update = _wave_seconds(setting, count, MANY * count, step)
    share = LinearCost.through((fewest // count, few), (MANY, many))
    workers, single = Workers(count), 0.0
    if count > 1 and share.per_actor:
        alone, _ = _wave_seconds(setting, 1, MANY, step)
        slowed = (alone - share.fixed) / (MANY * share.per_actor)
        workers = Workers(count, alone=min(1.0, max(1 / count, slowed)))
    if 1 in candidates.values():
        single = sum(_wave_seconds(setting, 1, 1, step))
    return WaveCosts(training.batch_size, training.local_epochs, candidates, workers, single, share, update)


def _wave_seconds(setting: PilotSetting, actors: int, accumulate: int, step: float) -> tuple[float, float]:
    """Return the seconds of a wave of so many batches without its update, and of its update."""
    waves = max(2, min(MOST_WAVES, int(STRETCH / 2 / (step * (accumulate // actors)))))
    size = waves * accumulate * setting.training.batch_size
    rows, partition, slices = setting.sampled(np.diff(np.arange(actors + 1) * size // actors).tolist())
    rounds: list[Round] = []

    def note(round_: Round, capture: Capture) -> None:  # noqa: ARG001 - the scheme's signature
        rounds.append(round_)

    with slices.shards:
        pilot_setting = Setting(
            dataset=replace(setting.dataset, train=rows, test=Rows(rows.x[:1], rows.y[:1])),
            partition=partition,
            slices=slices,
            new_model=setting.new_model,
            training=replace(setting.training, accumulate=accumulate, local_epochs=1),
            rounds=ROUNDS,
            evaluate_every=ROUNDS,
            strategy=setting.strategy,
            backend=setting.backend,
            workers=setting.workers,
        )
        setting.scheme(pilot_setting, note)
    update = median(round_.seconds["aggregation"] for round_ in rounds[2:]) / waves
    return median(round_.timed for round_ in rounds[2:]) / waves - update, update
