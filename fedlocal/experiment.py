"""A run, from its configuration to its results: data, partition, scheme, figures."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import OmegaConf

from fedlocal.actors import usable_cores
from fedlocal.config import Config, ConfigError, OptimizerState, build, check, sampling_problems
from fedlocal.data import Dataset, Shards, Slices, traits
from fedlocal.drawing import PRELOAD, draw
from fedlocal.results import Arm, History, environment, save_arrays, write_json
from fedlocal.results.progress import progress
from fedlocal.seeds import Stream, generator

if TYPE_CHECKING:
    from fedlocal.flower.backends import Backend
    from fedlocal.schemes import Setting
    from fedlocal.schemes.comparison import Comparison

# BLAS threads, Flower's log and its identity are the process's: runs in several threads take turns.
_one_at_a_time = threading.RLock()


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


def run(config: Config, folder: Path | None = None, overrides: Sequence[str] = ()) -> Run:
    """Run one experiment.

    Parameters
    ----------
    config : Config
        From `fedlocal.compose`, or Hydra.
    folder : Path, optional
        An existing folder for the results; without it nothing is written.
    overrides : sequence of str
        What was asked for on the command line, for the summary.

    Returns
    -------
    Run
        Histories, final arrays and their hashes.

    Raises
    ------
    ConfigError
        If the configuration is wrong, before anything is loaded or written.
    DivergedError
        If the final weights are not finite.
    """
    check(config)
    with _one_at_a_time:
        return _run(config, folder, overrides)


def _run(config: Config, folder: Path | None, overrides: Sequence[str]) -> Run:
    backend = build(config, "backend")
    backend.prepare(PRELOAD if folder else ())  # workers start while data are loaded
    from fedlocal.flower.logs import quiet
    from fedlocal.schemes.comparison import Comparison

    with quiet():  # strategies log what they were built with
        scheme, strategy = build(config, "scheme"), build(config, "strategy")
    if problems := sampling_problems(vars(strategy), config.actors):
        raise ConfigError("\n".join(problems))
    setting = prepare(config, strategy, backend, folder / "journal.jsonl" if folder else None)
    comparison = Comparison(scheme.func.__name__, setting, folder, config.baseline)
    with _recorded(config, comparison, overrides):
        with setting.slices.shards, progress(config.rounds, comparison.name, config.display.value) as show:
            trained = comparison.run(scheme, show)
        if not all(np.isfinite(array).all() for array in trained.arrays.values()):
            raise DivergedError("the final weights are not finite; a smaller learning rate may help")
        if folder:
            for name, arrays in trained.models.items():
                save_arrays(folder / f"{name}.npz", arrays)
    models = {name: dict(arrays) for name, arrays in trained.models.items()}
    return Run(folder, comparison.arms(), comparison.histories, comparison.hashes, models)


def prepare(config: Config, strategy: Any, backend: "Backend", journal: Path | None = None) -> "Setting":
    """Load the data, divide them among the actors, and put together what every scheme is given.

    Raises
    ------
    DataError, PartitionError, SkewError, ModelError
        If the data, or what is asked of them, cannot be.
    """
    from fedlocal.flower.client_app import NewModel, Training
    from fedlocal.schemes import Setting

    seed = config.seed
    divide, skew, factory = build(config, "partition"), build(config, "skew"), build(config, "model")
    dataset: Dataset = build(config, "dataset", rng=generator(seed, Stream.DATASET))
    new_model = NewModel(factory, dataset.inputs, dataset.outputs, dataset.classes is not None, seed)
    new_model()  # a model that does not suit the data is refused here
    partition = divide(traits(dataset), config.actors, generator(seed, Stream.PARTITION))
    slices = Slices(
        shards=Shards.create(dataset.train, partition),
        skew=skew,
        shape=dataset.shape,
        held_out=config.validation_fraction if getattr(strategy, "fraction_evaluate", 0) else 0.0,
        skew_draw=partial(generator, seed, Stream.SKEW),
        held_out_draw=partial(generator, seed, Stream.HELD_OUT),
    )
    slices.open(0)  # a skew that does not suit the data is refused here
    keep = config.optimizer_state is OptimizerState.keep
    training = Training(seed, config.batch_size, config.local_epochs, config.accumulate, keep)
    return Setting(
        dataset=dataset,
        partition=partition,
        slices=slices,
        new_model=new_model,
        training=training,
        rounds=config.rounds,
        evaluate_every=config.evaluate_every,
        strategy=strategy,
        backend=backend,
        workers=usable_cores() if config.workers == "auto" else int(config.workers),
        min_results=config.min_results,
        journal=journal,
    )


@contextmanager
def _recorded(config: Config, comparison: "Comparison", overrides: Sequence[str]) -> Iterator[None]:
    """Write what is known before training, and afterwards, however it ended, what it gave."""
    folder, begun = comparison.folder, time.perf_counter()
    if folder is None:
        yield
        return
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    write_json(folder / "environment.json", {**environment(), "workers": comparison.setting.workers})
    status, error = "failed", None
    try:
        yield
        status = "completed"
    except (KeyboardInterrupt, SystemExit):
        status = "interrupted"
        raise
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
        raise
    finally:
        summary = {
            "status": status,
            "error": error,
            "overrides": list(overrides),
            "arms": [asdict(arm) for arm in comparison.arms()],
            "hash": comparison.hashes.get(comparison.name),
            "hashes": comparison.hashes,
            "rounds": config.rounds,
            "duration": time.perf_counter() - begun,
        }
        write_json(folder / "summary.json", summary)
        dataset, partition = comparison.setting.dataset, comparison.setting.partition
        draw(folder, comparison.histories, dataset, partition, comparison.setting.backend.system)
