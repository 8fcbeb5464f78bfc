"""Preparation of a run: data, their division among the actors, a model, and who is there when."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedlocal.actors import usable_cores
from fedlocal.availability import Availability, Presence
from fedlocal.config.build import build
from fedlocal.config.compose import with_actors
from fedlocal.config.schema import AUTO, Config, ConfigError, OptimizerState
from fedlocal.config.validation import unneeded_groups
from fedlocal.data import DataError, Dataset, Partition, Shards, Skew, Slices, traits
from fedlocal.flower.server.wrapping import innermost
from fedlocal.models.training_run import NewModel, Training
from fedlocal.seeds import Stream, generator

if TYPE_CHECKING:
    from fedlocal.autotune.choice import Choice
    from fedlocal.flower.client.clients import Client
    from fedlocal.flower.grid.backends import Backend
    from fedlocal.schemes import Setting


def prepare(
    config: Config,
    strategy: Any,
    backend: "Backend",
    journal: Path | None = None,
    dataset: Dataset | None = None,
) -> "Setting":
    """Load the data, divide them among the actors, and put together what every scheme is given.

    Parameters
    ----------
    config : Config
        What is asked for.
    strategy, backend
        Built from it; no strategy where the scheme has no server.
    journal : Path, optional
        For the fate of each message.
    dataset : Dataset, optional
        In place of the configured one.

    Raises
    ------
    DataError, PartitionError, SkewError, ModelError, AttackError, AvailabilityError
        If the data, or what is asked of them, cannot be.
    """
    from fedlocal.schemes import Setting

    attack = build(config, "attack")
    client = None if "client" in unneeded_groups(config) else build(config, "client")
    divide, skew = build(config, "partition"), build(config, "skew")
    if dataset is None:
        dataset = _load_dataset(config)
    new_model = _new_model(config, dataset)
    attack.check(new_model.outputs if new_model.classes else None)
    held_out = config.validation_fraction if getattr(innermost(strategy), "fraction_evaluate", 0) else 0.0
    workers = usable_cores() if config.workers == AUTO else int(config.workers)
    choice = None
    if config.actors == AUTO:
        choice = _choose_actors(
            config, client, divide, dataset, new_model, strategy, backend, workers, held_out
        )
        config = with_actors(config, choice.chosen.actors)
    partition = divide(traits(dataset), int(config.actors), generator(config.seed, Stream.PARTITION))
    slices = _slices(config.seed, dataset, partition, skew, held_out)
    malicious = attack.malicious(len(partition), generator(config.seed, Stream.ATTACK))
    draw = partial(generator, config.seed, Stream.AVAILABILITY)
    presences = partial(build(config, "availability"), len(partition), config.rounds, draw)
    presences()  # one that does not suit the actors is refused here
    return Setting(
        dataset=dataset,
        partition=partition,
        slices=slices,
        new_model=new_model,
        training=_training(config),
        rounds=config.rounds,
        evaluate_every=config.evaluate_every,
        strategy=strategy,
        backend=backend,
        workers=workers,
        min_results=config.min_results,
        round_timeout=config.round_timeout,
        journal=journal,
        client=_under_attack(client, attack, malicious) if malicious else client,
        malicious=malicious,
        choice=choice,
        presences=presences,
    )


def _load_dataset(config: Config) -> Dataset:
    """Load the data set of the configuration."""
    try:
        dataset: Dataset = build(config, "dataset", rng=generator(config.seed, Stream.DATASET))
    except MemoryError as error:
        raise DataError(f"dataset: does not fit into memory ({error})") from error
    return dataset


def _new_model(config: Config, dataset: Dataset) -> NewModel:
    """Return what makes models with the initial parameters, once it has made one."""
    factory, classes = build(config, "model"), dataset.classes is not None
    new_model = NewModel(factory, dataset.inputs, dataset.outputs, classes, config.seed, dataset.shape)
    new_model()  # a model that does not suit the data is refused here
    return new_model


def _choose_actors(
    config: Config,
    client: Any,
    divide: Any,
    dataset: Dataset,
    new_model: NewModel,
    strategy: Any,
    backend: "Backend",
    workers: int,
    held_out: float,
) -> "Choice":
    """Choose the number of actors by short pilots."""
    from fedlocal.autotune.choose_actors import choose_actors
    from fedlocal.autotune.federated_pilot import PilotSetting
    from fedlocal.flower.client.clients import DefaultClient

    if not isinstance(client, DefaultClient):
        raise ConfigError("actors=auto knows the times of fedlocal's own client alone; give a number")
    availability: Availability = build(config, "availability")
    draw = partial(generator, config.seed, Stream.AVAILABILITY)

    def presences(actors: int) -> Iterator[Presence] | None:
        return availability(actors, config.rounds, draw)

    pilot = PilotSetting(
        dataset=dataset,
        new_model=new_model,
        training=_training(with_actors(config, 1)),
        strategy=strategy,
        backend=backend,
        workers=workers,
        held_out=held_out,
        rounds=config.rounds,
        presences=presences,
    )
    return choose_actors(config, divide, pilot)


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


def _under_attack(client: Any, attack: Any, malicious: tuple[int, ...]) -> "Client":
    """Return the client whose malicious actors attack."""
    from fedlocal.flower.client.malicious import UnderAttack

    return UnderAttack(client, attack, malicious)
