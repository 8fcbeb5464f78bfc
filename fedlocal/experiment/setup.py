"""Preparation of a run: data, their division among the actors, a model, and who is there when."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedlocal.actors import usable_cores
from fedlocal.availability import Presence
from fedlocal.config.build import build
from fedlocal.config.compose import with_actors
from fedlocal.config.schema import AUTO, Config, OptimizerState
from fedlocal.data import DataError, Dataset, Partition, Shards, Skew, Slices, traits
from fedlocal.experiment.groups import Groups
from fedlocal.flower.server.wrapping import innermost
from fedlocal.models.training_run import NewModel, Training
from fedlocal.seeds import Stream, generator

if TYPE_CHECKING:
    from fedlocal.autotune.choice import Choice
    from fedlocal.schemes import Setting


def prepare(
    config: Config, groups: Groups, journal: Path | None = None, dataset: Dataset | None = None
) -> "Setting":
    """Load the data, divide them among the actors, and put together what every scheme is given.

    Parameters
    ----------
    config : Config
        What is asked for.
    groups : Groups
        Built from it.
    journal : Path, optional
        For the fate of each message.
    dataset : Dataset, optional
        In place of the configured one.

    Raises
    ------
    DataError, PartitionError, SkewError, ModelError, AttackError, AvailabilityError
        If the data, or what is asked of them, cannot be.
    ConfigError
        If the number of actors is to be chosen, and no number satisfies all options.
    """
    from fedlocal.schemes import Setting

    if dataset is None:
        dataset = _load_dataset(config)
    new_model = NewModel(
        groups.model, dataset.inputs, dataset.outputs, dataset.classes is not None, config.seed, dataset.shape
    )
    new_model()  # a model that does not suit the data is refused here
    groups.attack.check(new_model.outputs if new_model.classes else None)
    evaluated = getattr(innermost(groups.strategy), "fraction_evaluate", 0)
    held_out = config.validation_fraction if evaluated else 0.0
    workers = usable_cores() if config.workers == AUTO else int(config.workers)
    draw = partial(generator, config.seed, Stream.AVAILABILITY)

    def presences(actors: int) -> Iterator[Presence] | None:
        return groups.availability(actors, config.rounds, draw)

    choice = None
    if config.actors == AUTO:
        choice = _choose_actors(
            config,
            groups,
            dataset=dataset,
            new_model=new_model,
            workers=workers,
            held_out=held_out,
            presences=presences,
        )
        config = with_actors(config, choice.actors)
    actors = int(config.actors)
    partition = groups.partition(traits(dataset), actors, generator(config.seed, Stream.PARTITION))
    malicious = groups.attack.malicious(actors, generator(config.seed, Stream.ATTACK))
    presences(actors)  # one that does not suit the actors is refused here
    client = groups.client
    if client and malicious:
        from fedlocal.flower.client.malicious import UnderAttack

        client = UnderAttack(client, groups.attack, malicious)
    return Setting(
        dataset=dataset,
        partition=partition,
        slices=_slices(config.seed, dataset, partition, groups.skew, held_out),
        new_model=new_model,
        training=_training(config),
        rounds=config.rounds,
        evaluate_every=config.evaluate_every,
        strategy=groups.strategy,
        backend=groups.backend,
        workers=workers,
        min_results=config.min_results,
        round_timeout=config.round_timeout,
        journal=journal,
        client=client,
        malicious=malicious,
        choice=choice,
        presences=partial(presences, actors),
    )


def _load_dataset(config: Config) -> Dataset:
    """Load the data set of the configuration."""
    try:
        dataset: Dataset = build(config, "dataset", rng=generator(config.seed, Stream.DATASET))
    except MemoryError as error:
        raise DataError(f"dataset: does not fit into memory ({error})") from error
    return dataset


def _choose_actors(config: Config, groups: Groups, **prepared: Any) -> "Choice":
    """Choose the number of actors by short pilots with what was prepared for the run."""
    from fedlocal.autotune.choose_actors import choose_actors
    from fedlocal.autotune.federated_pilot import PilotSetting

    pilot = PilotSetting(
        scheme=groups.scheme,
        training=_training(with_actors(config, 1)),
        strategy=groups.strategy,
        backend=groups.backend,
        rounds=config.rounds,
        **prepared,
    )
    return choose_actors(config, groups.partition, pilot)


def _training(config: Config) -> Training:
    """Return how every actor trains."""
    keep = config.optimizer_state is OptimizerState.keep
    return Training(config.seed, config.batch_size, config.local_epochs, config.accumulate, keep)


def _slices(seed: int, dataset: Dataset, partition: Partition, skew: Skew, held_out: float) -> Slices:
    """Cut the training rows into what each actor owns, as it sees it."""
    slices = Slices(
        shards=Shards.create(dataset.train, partition),
        skew=skew,
        shape=dataset.shape,
        held_out=held_out,
        skew_draw=partial(generator, seed, Stream.SKEW),
        held_out_draw=partial(generator, seed, Stream.HELD_OUT),
    )
    slices.open(0)  # a skew that does not suit the data is refused here
    return slices
