"""``actors=auto``: a pilot measures, the cost model predicts, and the number is fixed before training begins.

What the rounds of a scheme cost is explained in `fedlocal.autotune.cost_model`.
"""

import copy
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from hydra.utils import get_object
from numpy.typing import NDArray

from fedlocal.autotune.choice import Choice, Costs, choose
from fedlocal.autotune.federated_pilot import PilotSetting
from fedlocal.availability import AvailabilityError
from fedlocal.config.capabilities import capabilities_of
from fedlocal.config.compose import with_actors
from fedlocal.config.schema import Config, ConfigError
from fedlocal.config.validation import sampling_problems
from fedlocal.data import PartitionError, PartitionStrategy, held_out_of, traits
from fedlocal.display.progress import announce
from fedlocal.flower.server.round_loop import QuorumError
from fedlocal.flower.server.wrapping import innermost
from fedlocal.seeds import Stream, generator

logger = logging.getLogger(__name__)

Sizes = NDArray[np.int64]

SERIES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
PER_WORKER = 4  # multiples of the number of workers that are tried beside the series


def choose_actors(config: Config, divide: PartitionStrategy, setting: PilotSetting) -> Choice:
    """Choose the number of actors that a round takes least time with, and say so.

    Parameters
    ----------
    config : Config
        With ``actors=auto``.
    divide : PartitionStrategy
        Divides the training rows among a number of actors.
    setting : PilotSetting
        The model and the data of the pilot; its scheme declares what measures it.

    Raises
    ------
    ConfigError
        If no number satisfies all options, or the strategy cannot be copied for the pilot.
    PartitionError
        If the partition strategy leaves no choice.
    """
    started = time.perf_counter()
    sizes, refused = _candidates(config, divide, setting)
    pilot: Callable[..., Costs] = get_object(str(capabilities_of(setting.scheme).pilot))
    candidates = {actors: with_actors(config, actors).accumulate for actors in sizes}
    try:
        costs = pilot(replace(setting, strategy=_copied(setting.strategy)), candidates)
    except QuorumError as error:
        error.add_note("in the pilot of actors=auto; a number in its place needs none")
        raise
    predictions = [costs.predict(parts) for parts in sizes.values()]
    choice = Choice(choose(predictions), predictions, refused, time.perf_counter() - started)
    _announce(choice, candidates, config)
    return choice


def _copied(strategy: Any) -> Any:
    """Return a copy of a strategy, whose state the pilot spoils."""
    try:
        return copy.deepcopy(strategy)
    except Exception as error:
        raise ConfigError(
            f"actors=auto: the pilot needs a copy of the strategy, which cannot be copied ({error}); give a "
            "number"
        ) from error


def _announce(choice: Choice, candidates: Mapping[int, int], config: Config) -> None:
    """Say what was chosen and why, in the log and where progress is shown."""
    lines = str(choice).splitlines()
    if len(set(candidates.values())) > 1:
        batches = candidates[choice.chosen.actors]
        lines.append(
            f"actors=auto: an update is then the mean of {batches} batches: the least time for a pass over "
            "the data need not be the least time to an accuracy"
        )
    for line in lines:
        logger.info("%s", line)
        announce(line, config.display.value)


def _candidates(
    config: Config, divide: PartitionStrategy, setting: PilotSetting
) -> tuple[dict[int, Sizes], dict[int, str]]:
    """Return the numbers to choose from, with the rows of each actor; and why other numbers are refused."""
    rows = len(setting.dataset.train)
    most = max(1, min(rows // config.batch_size, max(SERIES[-1], PER_WORKER * setting.workers)))
    multiples = (times * setting.workers for times in range(1, PER_WORKER + 1))
    numbers = sorted({number for number in (*SERIES, *multiples, most) if number <= most})
    sizes: dict[int, Sizes] = {}
    refused: dict[int, str] = {}
    unpartitioned: list[PartitionError] = []
    for actors in numbers:
        if problems := _problems(with_actors(config, actors), setting.strategy):
            refused[actors] = "; ".join(problems)
            continue
        try:
            setting.presences(actors)
            parts = divide(traits(setting.dataset), actors, generator(config.seed, Stream.PARTITION))
        except AvailabilityError as error:
            refused[actors] = str(error)
        except PartitionError as error:
            refused[actors] = str(error)
            unpartitioned.append(error)
        else:
            sizes[actors] = parts.sizes - held_out_of(parts.sizes, setting.held_out)
    if unpartitioned and sum(actors > 1 for actors in sizes) < 2:
        unpartitioned[-1].add_note("actors=auto has no choice with this partition: give a number")
        raise unpartitioned[-1]
    if not sizes:
        number, reason = next(iter(refused.items()))
        raise ConfigError(f"actors=auto: no number from 1 to {most} will do; with {number}: {reason}")
    return sizes, refused


def _problems(config: Config, strategy: Any) -> list[str]:
    """Return what rules out a number of actors."""
    problems = sampling_problems(vars(innermost(strategy)), int(config.actors))
    if config.min_results is not None and config.min_results > int(config.actors):
        problems.append(f"min_results={config.min_results}: must be at most actors={config.actors}")
    return problems
