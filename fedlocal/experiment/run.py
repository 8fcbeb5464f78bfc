"""A run, from its configuration to its results: data, partition, scheme, figures."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from fedlocal import strategies
from fedlocal.config.build import build, model_imports
from fedlocal.config.compose import option, with_actors
from fedlocal.config.old_addresses import with_public_addresses
from fedlocal.config.schema import AUTO, Config, ConfigError
from fedlocal.config.validation import check, sampling_problems, unneeded_groups
from fedlocal.data import Fingerprint, division_of, fingerprint
from fedlocal.display.progress import announce, progress
from fedlocal.experiment.checks import check_attack, check_availability
from fedlocal.experiment.figures import PRELOAD
from fedlocal.experiment.model_saving import save_final_models, save_while_training
from fedlocal.experiment.process_lock import process_lock
from fedlocal.experiment.result import Run
from fedlocal.experiment.run_folder import ResumeError
from fedlocal.experiment.setup import prepare
from fedlocal.experiment.summary import check_data, record_run
from fedlocal.experiment.tracking import open_trackers, track_run
from fedlocal.experiment.unused_options import unused_option_notes
from fedlocal.flower.grid.backends import PRELOAD as CLIENTS
from fedlocal.flower.server.wrapping import innermost
from fedlocal.inference.model_spec import ModelSpec
from fedlocal.results import (
    DURATION,
    Checkpoint,
    ResultsError,
    check_unused,
    clear_folder,
    locked_folder,
    newest_checkpoint,
)

if TYPE_CHECKING:
    from fedlocal.flower.grid.backends import Backend
    from fedlocal.schemes import Setting
    from fedlocal.schemes.baselines import Baselines
    from fedlocal.schemes.comparison import Comparison
    from fedlocal.trackers import Tracker

logger = logging.getLogger(__name__)

MILD = 0.05  # rates up to this one suit squared errors of scaled real values


class UnsavedError(ResultsError):
    """A run has ended, and what it ended with cannot be written; it is in `run`."""

    def __init__(self, message: str, run: Run) -> None:
        super().__init__(message)
        self.run = run


def run(
    config: Config,
    folder: Path | None = None,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    backend: "Backend | None" = None,
    sweep: Path | None = None,
) -> Run:
    """Run one experiment.

    Parameters
    ----------
    config : Config
        From `fedlocal.compose`, or Hydra.
    folder : Path, optional
        An existing folder for the results, with ``overwrite=true`` in place of those of an earlier run in it;
        without it nothing is written.
    overrides : sequence of str
        What was asked for on the command line, for the summary.
    resume : bool
        Go on from the folder's last checkpoint; `fedlocal.resume` finds the configuration for it.
    backend : Backend, optional
        In place of the configured one, such as one of Flower's engines that runs already.
    sweep : Path, optional
        The folder of the sweep that `folder` lies in, whose runs may share baselines.

    Returns
    -------
    Run
        Histories, final arrays and their hashes.

    Raises
    ------
    ConfigError
        If the configuration is wrong, before anything is loaded or written.
    ResumeError
        If a run that is to go on cannot, since its data have changed or its strategy's state is not declared.
    UnsavedError
        If the run has ended, but what it ended with cannot be written; it has the run.
    ResultsError
        If the folder cannot be written, it holds a run, another run is writing to it, or none of its
        checkpoints is sound.
    DivergedError
        If the final weights are not finite.
    """
    with process_lock, locked_folder(folder) if folder else nullcontext():
        check(config)
        if folder and not resume:
            if not config.overwrite:
                check_unused(folder)
            clear_folder(folder, resuming=False)
        return _run(config, folder, overrides, resume, backend or build(config, "backend"), sweep)


def _run(
    config: Config,
    folder: Path | None,
    overrides: Sequence[str],
    resume: bool,
    backend: "Backend",
    sweep: Path | None,
) -> Run:
    """Build what the configuration names, prepare the data, find out where the run begins, and train."""
    backend = _configured(backend, config)
    scheme = build(config, "scheme")
    _start_workers(backend, scheme, config, folder)  # they start while libraries and data are loaded
    from fedlocal.schemes.comparison import Comparison

    strategy = _build_strategy(config)
    _check_scheme(scheme, strategy, config)
    interval = _checkpoint_interval(config, strategy, backend, resume) if folder else 0
    check_availability(scheme, build(config, "availability"))
    _announce_unused_options(scheme, backend, config)
    trackers = open_trackers(config, folder)
    setting = prepare(config, strategy, backend, folder / "journal.jsonl" if folder else None)
    _announce_malicious(setting, config)
    _warn_of_weakness(setting, scheme)
    _announce_targets(setting, config)
    if setting.choice:
        config = with_actors(config, setting.choice.actors)
    with setting.slices.shards:
        data = _fingerprint(setting) if folder else {}
        if folder and resume:
            check_data(folder, data)
        baselines = _baselines(config, setting, folder, sweep, data) if config.baseline else None
        comparison = Comparison(scheme.func.__name__, setting, folder, baselines)
        about = _identity(comparison, config, data)
        start = _starting_point(folder, about, comparison, config) if folder and resume else None
        return _train(config, scheme, comparison, start, about, interval, trackers, overrides, data)


def _configured(backend: "Backend", config: Config) -> "Backend":
    """Return the backend; one that runs clients elsewhere is given the whole configuration."""
    if backend.local:
        return backend
    if config.actors == AUTO:
        raise ConfigError("actors=auto tries local actors out; with this backend, say how many there are")
    return backend.configured(OmegaConf.to_yaml(config, resolve=True))


def _start_workers(backend: "Backend", scheme: Any, config: Config, folder: Path | None) -> None:
    """Have workers start, and import what the run will have them do."""
    actors = CLIENTS if getattr(scheme.func, "has_clients", True) else (scheme.func.__module__,)
    drawing = PRELOAD if folder and config.figures else ()
    backend.prepare((*actors, *drawing, *model_imports(config)))


def _build_strategy(config: Config) -> Any:
    """Build the strategy; None where the scheme has no use for it."""
    from fedlocal.flower.compat.logs import quiet

    if "strategy" in unneeded_groups(config):
        return None
    with quiet():  # strategies log what they were built with
        return build(config, "strategy")


def _check_scheme(scheme: Any, strategy: Any, config: Config) -> None:
    """Refuse an attack that the scheme would ignore, and a strategy that cannot sample so many actors."""
    check_attack(scheme, build(config, "attack"))
    numbers = vars(innermost(strategy)) if strategy else {}
    if config.actors != AUTO and (problems := sampling_problems(numbers, int(config.actors))):
        raise ConfigError("\n".join(problems))


def _checkpoint_interval(config: Config, strategy: Any, backend: "Backend", resume: bool) -> int:
    """Return the number of rounds from one checkpoint to the next; 0 where there are to be none."""
    if not backend.local:  # whoever chose it knows, and its documentation says so
        if resume:
            raise ResumeError(
                "the run cannot be resumed: its clients were an engine's, and have gone with it"
            )
        return 0
    if strategy is None:
        return config.checkpoint_every or 0
    from fedlocal.strategies.state import why_not_resumable

    if reason := why_not_resumable(strategy):
        if resume:
            raise ResumeError(f"the run cannot be resumed: {reason}; run it anew")
        if config.checkpoint_every:
            logger.warning("no checkpoints are written, and the run cannot be resumed: %s", reason)
        return 0
    return config.checkpoint_every or 0


def _announce_unused_options(scheme: Any, backend: "Backend", config: Config) -> None:
    """Say which options were set though nothing makes use of them."""
    client = None if "client" in unneeded_groups(config) else build(config, "client")
    _announce(unused_option_notes(config, scheme, client, backend), config)


def _announce_malicious(setting: "Setting", config: Config) -> None:
    """Say which actors are malicious."""
    if malicious := setting.malicious:
        who = ", ".join(map(str, malicious))
        _announce([f"{len(malicious)} of {len(setting.partition)} actors are malicious: {who}"], config)


def _warn_of_weakness(setting: "Setting", scheme: Any) -> None:
    """Warn where a strategy that is said to be robust withstands nobody, or fewer than there are."""
    if setting.strategy is None or not getattr(scheme.func, "has_server", False):
        return
    from fedlocal.strategies.robustness import weakness

    numbers = len(setting.partition), setting.rounds, len(setting.malicious)
    if weak := weakness(setting.strategy, setting.presences, *numbers):
        logger.warning("strategy: %s", weak)


def _announce_targets(setting: "Setting", config: Config) -> None:
    """Say what a data set's numbers were taken for, where that was left to fedlocal."""
    dataset, lines = setting.dataset, []
    labels = dataset.classes
    if option(config, "dataset.task") == "auto":
        if labels is None:
            lines.append(
                "targets are taken as real values; dataset.task=classification takes them as classes"
            )
        elif labels.dtype.kind in "iu":
            lines.append(
                f"targets are whole numbers, taken as {len(labels)} classes; dataset.task=regression takes "
                "them as real values"
            )
    if dataset.target_scaling and (dataset.target_scaling.factor != 1).any():
        lines.append(
            "targets are scaled to deviation 1 for training: loss is of these, rmse is in their own units"
        )
    if labels is None and (rate := option(config, "model.learning_rate") or 0) > MILD:
        lines.append(
            f"model.learning_rate={rate:g} is made for classes; if training diverges, take model=regressor"
        )
    _announce(lines, config)


def _announce(lines: Sequence[str], config: Config) -> None:
    """Write lines to the log and, if rounds are shown, to the terminal."""
    for line in lines:
        logger.info(line)
        announce(line, config.display.value)


def _fingerprint(setting: "Setting") -> dict[str, Any]:
    """Return the fingerprints of the data and of their division among the actors."""
    return {**fingerprint(setting.dataset), **division_of(setting.partition.order, setting.slices)}


def _baselines(
    config: Config, setting: "Setting", folder: Path | None, sweep: Path | None, data: Fingerprint
) -> "Baselines":
    """Return what the run is compared with; in a sweep, other runs may have it already."""
    from fedlocal.experiment.sweep import shared_baseline
    from fedlocal.schemes.baselines import Baselines

    shared = shared_baseline(config, setting, folder, sweep, data) if folder and sweep else None
    return Baselines(setting, folder, shared)


def _identity(comparison: "Comparison", config: Config, data: Fingerprint) -> dict[str, Any]:
    """Return what a run and a checkpoint must have in common."""
    setting = comparison.setting
    model = setting.new_model().arrays
    return {
        "seed": setting.training.seed,
        "scheme": comparison.name,
        "strategy": _address(setting.strategy) if setting.strategy else option(config, "strategy._target_"),
        "actors": len(setting.partition),
        "model": [[name, array.dtype.str, list(array.shape)] for name, array in model.items()],
        "data": data,
    }


def _address(strategy: Any) -> str:
    """Return the public address of a strategy's class, or where it is defined if it has none."""
    kind = type(strategy)
    name = kind.__qualname__
    if getattr(strategies, name, None) is kind:
        return f"{strategies.__name__}.{name}"
    return f"{kind.__module__}.{name}"


def _starting_point(
    folder: Path, about: Mapping[str, Any], comparison: "Comparison", config: Config
) -> Checkpoint | None:
    """Return the checkpoint to go on from, and make the folder ready; None where no round was done."""
    start = newest_checkpoint(folder, about, with_public_addresses)
    if start:
        logger.info("going on after round %d", start.round)
        comparison.earlier = float(start.arrays.get(DURATION, 0.0))
    else:
        logger.warning("%s has no checkpoint: the run starts anew", folder)
    if start and start.round > config.rounds:
        raise ResumeError(f"rounds={config.rounds}: the run in {folder} has done {start.round} already")
    clear_folder(folder, resuming=True)  # now that it can go on
    return start


def _train(
    config: Config,
    scheme: Any,
    comparison: "Comparison",
    start: Checkpoint | None,
    about: Mapping[str, Any],
    interval: int,
    trackers: Mapping[str, "Tracker"],
    overrides: Sequence[str],
    data: Fingerprint,
) -> Run:
    """Train, record the run as it goes on, and save its models."""
    model_spec = ModelSpec.of_run(config, comparison.setting.dataset, data)
    done, ended = start.round if start else 0, list[Run]()
    with (
        _unsaved(ended),
        track_run(trackers, config, comparison, overrides) as tracking,
        record_run(config, comparison, overrides, data),
    ):
        idle = not config.checkpoint_every
        files = save_while_training(comparison, model_spec, about, interval, done, idle=idle)
        display = progress(config.rounds, comparison.name, config.display.value, done=done)
        with comparison.setting.slices.shards, files, display as show:  # figures need no shards
            trained = comparison.run(scheme, tracking.after(show), start)
        models = {name: dict(arrays) for name, arrays in trained.models.items()}
        results = comparison.arms(), comparison.histories, comparison.hashes, models, model_spec
        ended.append(Run(comparison.folder, *results))
        save_final_models(trained, comparison, model_spec)
    return ended[0]


@contextmanager
def _unsaved(ended: Sequence[Run]) -> Iterator[None]:
    """Keep a run that has ended, in the error, if its files cannot be written."""
    try:
        yield
    except ResultsError as error:
        if not ended:
            raise
        raise UnsavedError(str(error), ended[0]) from error
