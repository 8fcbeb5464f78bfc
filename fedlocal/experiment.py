"""A run, from its configuration to its results: data, partition, scheme, figures."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import OmegaConf

from fedlocal.actors import usable_cores
from fedlocal.config import (
    AUTO,
    Config,
    ConfigError,
    OptimizerState,
    build,
    check,
    model_imports,
    sampling_problems,
    with_actors,
)
from fedlocal.data import Dataset, Shards, Slices, traits
from fedlocal.drawing import PRELOAD
from fedlocal.recording import recorded
from fedlocal.results import (
    Arm,
    Checkpoint,
    CheckpointWriter,
    History,
    clear,
    newest_checkpoint,
    owning,
    progress,
    save_arrays,
)
from fedlocal.resuming import ResumeError
from fedlocal.seeds import Stream, generator
from fedlocal.turns import one_at_a_time

if TYPE_CHECKING:
    from fedlocal.flower.backends import Backend
    from fedlocal.flower.client_app import Training
    from fedlocal.schemes import Setting, Trained
    from fedlocal.schemes.comparison import Comparison

logger = logging.getLogger(__name__)


class DivergedError(RuntimeError):
    """Training ended with weights that are not finite."""


@dataclass(frozen=True)
class Run:
    """What a run left behind.

    Parameters
    ----------
    folder : Path or None
        Where its files lie.
    arms : list of Arm
        The lines of the final table, the scheme's first.
    histories : dict of str to History
        The rounds of each arm.
    hashes : dict of str to str
        Of each arm's final weights.
    models : dict of str to dict
        The final arrays: ``{"model": …}``, or one entry per actor for ``scheme=local``.
    """

    folder: Path | None
    arms: list[Arm]
    histories: dict[str, History]
    hashes: dict[str, str]
    models: dict[str, Any] = field(repr=False)


def run(
    config: Config,
    folder: Path | None = None,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    backend: "Backend | None" = None,
) -> Run:
    """Run one experiment.

    Parameters
    ----------
    config : Config
        From `fedlocal.compose`, or Hydra.
    folder : Path, optional
        An existing folder for the results, in place of those of an earlier run in it; without it nothing is
        written.
    overrides : sequence of str
        What was asked for on the command line, for the summary.
    resume : bool
        Go on from the folder's last checkpoint; `fedlocal.resume` finds the configuration for it.
    backend : Backend, optional
        In place of the configured one, such as one of Flower's engines that runs already.

    Returns
    -------
    Run
        Histories, final arrays and their hashes.

    Raises
    ------
    ConfigError
        If the configuration is wrong, before anything is loaded or written.
    ResultsError
        If the folder cannot be written, another run is writing to it, or none of its checkpoints is sound.
    DivergedError
        If the final weights are not finite.
    """
    with one_at_a_time, owning(folder) if folder else nullcontext():
        if folder:
            clear(folder, resuming=resume)
        check(config)
        return _run(config, folder, overrides, resume, backend or build(config, "backend"))


def _run(
    config: Config, folder: Path | None, overrides: Sequence[str], resume: bool, backend: "Backend"
) -> Run:
    if not backend.local:
        if config.actors == AUTO:
            raise ConfigError("actors=auto tries local actors out; with this backend, say how many there are")
        backend = backend.configured(OmegaConf.to_yaml(config, resolve=True))
    drawing = PRELOAD if folder else ()
    backend.prepare((*drawing, *model_imports(config)))  # workers start while data are loaded
    from fedlocal.flower.logs import quiet
    from fedlocal.schemes.comparison import Comparison

    with quiet():  # strategies log what they were built with
        scheme, strategy = build(config, "scheme"), build(config, "strategy")
    if config.actors != AUTO and (problems := sampling_problems(vars(strategy), int(config.actors))):
        raise ConfigError("\n".join(problems))
    every = _checkpoint_interval(config, strategy, backend, resume) if folder else 0
    setting = prepare(config, strategy, backend, folder / "journal.jsonl" if folder else None)
    if setting.choice:
        config = with_actors(config, setting.choice.chosen.actors)
    comparison = Comparison(scheme.func.__name__, setting, folder, config.baseline)
    with setting.slices.shards:
        about = _about(comparison)
        start = _start(folder, about) if folder and resume else None
        done = start.round if start else 0
        with recorded(config, comparison, overrides):
            writer = CheckpointWriter(folder, about, every, done) if folder and every else nullcontext()
            display = progress(config.rounds, comparison.name, config.display.value, done=done)
            with setting.slices.shards, writer as checkpoints, display as show:  # figures need none
                comparison.keep = checkpoints.keep if checkpoints else None
                trained = comparison.run(scheme, show, start)
            _save(trained, folder)
    models = {name: dict(arrays) for name, arrays in trained.models.items()}
    return Run(folder, comparison.arms(), comparison.histories, comparison.hashes, models)


def _save(trained: "Trained", folder: Path | None) -> None:
    if not all(np.isfinite(array).all() for array in trained.arrays.values()):
        raise DivergedError("the final weights are not finite; a smaller learning rate may help")
    if folder:
        for name, arrays in trained.models.items():
            save_arrays(folder / f"{name}.npz", arrays)


def _checkpoint_interval(config: Config, strategy: Any, backend: "Backend", resume: bool) -> int:
    """Return the number of rounds from one checkpoint to the next; 0 where there are to be none."""
    from fedlocal.flower.strategy_state import why_not_resumable

    if not backend.local:  # whoever chose it knows, and its documentation says so
        if resume:
            raise ResumeError(
                "the run cannot be resumed: its clients were an engine's, and have gone with it"
            )
        return 0
    if reason := why_not_resumable(strategy):
        if resume:
            raise ResumeError(f"the run cannot be resumed: {reason}; run it anew")
        if config.checkpoint_every:
            logger.warning("no checkpoints are written, and the run cannot be resumed: %s", reason)
        return 0
    return config.checkpoint_every or 0


def _about(comparison: "Comparison") -> dict[str, Any]:
    """Return what a run and a checkpoint must have in common."""
    setting, kind = comparison.setting, type(comparison.setting.strategy)
    model = setting.new_model().arrays
    return {
        "seed": setting.training.seed,
        "scheme": comparison.name,
        "strategy": f"{kind.__module__}.{kind.__qualname__}",
        "actors": len(setting.partition),
        "model": [[name, array.dtype.str, list(array.shape)] for name, array in model.items()],
    }


def _start(folder: Path, about: Mapping[str, Any]) -> Checkpoint | None:
    """Return the checkpoint to go on from; None where no round was done."""
    start = newest_checkpoint(folder, about)
    if start:
        logger.info("going on after round %d", start.round)
    else:
        logger.warning("%s has no checkpoint: the run starts anew", folder)
    return start


def prepare(config: Config, strategy: Any, backend: "Backend", journal: Path | None = None) -> "Setting":
    """Load the data, divide them among the actors, and put together what every scheme is given.

    Raises
    ------
    DataError, PartitionError, SkewError, ModelError
        If the data, or what is asked of them, cannot be.
    """
    from fedlocal.flower.client_app import NewModel
    from fedlocal.flower.clients import Own
    from fedlocal.schemes import Setting

    seed = config.seed
    divide, skew, factory = build(config, "partition"), build(config, "skew"), build(config, "model")
    dataset: Dataset = build(config, "dataset", rng=generator(seed, Stream.DATASET))
    classes = dataset.classes is not None
    new_model = NewModel(factory, dataset.inputs, dataset.outputs, classes, seed, dataset.shape)
    new_model()  # a model that does not suit the data is refused here
    client = build(config, "client")
    held_out = config.validation_fraction if getattr(strategy, "fraction_evaluate", 0) else 0.0
    workers = usable_cores() if config.workers == AUTO else int(config.workers)
    choice = None
    if config.actors == AUTO:
        if not isinstance(client, Own):
            raise ConfigError("actors=auto knows the times of fedlocal's own client alone; give a number")
        from fedlocal.choosing import choose_actors
        from fedlocal.schemes.pilot import PilotSetting

        training = _training(with_actors(config, 1))
        given = dataset, new_model, training, strategy, backend, workers, held_out, config.rounds
        choice = choose_actors(config, divide, PilotSetting(*given))
        config = with_actors(config, choice.chosen.actors)
    partition = divide(traits(dataset), int(config.actors), generator(seed, Stream.PARTITION))
    slices = Slices(
        shards=Shards.create(dataset.train, partition),
        skew=skew,
        shape=dataset.shape,
        held_out=held_out,
        skew_draw=partial(generator, seed, Stream.SKEW),
        held_out_draw=partial(generator, seed, Stream.HELD_OUT),
    )
    slices.open(0)  # a skew that does not suit the data is refused here
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
        client=client,
        choice=choice,
    )


def _training(config: Config) -> "Training":
    from fedlocal.flower.client_app import Training

    keep = config.optimizer_state is OptimizerState.keep
    return Training(config.seed, config.batch_size, config.local_epochs, config.accumulate, keep)
