"""A run, from its configuration to its results: data, partition, scheme, figures."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedlocal import strategies
from fedlocal.config.capabilities import capabilities_of, scheme_name
from fedlocal.config.compose import option, with_actors
from fedlocal.config.old_addresses import with_public_addresses
from fedlocal.config.schema import Config
from fedlocal.config.validation import check
from fedlocal.data import Fingerprint, division_of, fingerprint
from fedlocal.display.progress import progress
from fedlocal.experiment.checks import check_groups
from fedlocal.experiment.figures import PRELOAD
from fedlocal.experiment.groups import Groups, build_groups
from fedlocal.experiment.model_saving import save_final_models, save_while_training
from fedlocal.experiment.notices import (
    announce_all,
    setting_notices,
    unused_option_notices,
    warn_of_weakness,
)
from fedlocal.experiment.process_lock import process_lock
from fedlocal.experiment.result import Run
from fedlocal.experiment.run_folder import ResumeError
from fedlocal.experiment.setup import prepare
from fedlocal.experiment.summary import check_data, record_run
from fedlocal.experiment.sweep import shared_baseline
from fedlocal.experiment.tracking import open_trackers, track_run
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
    from fedlocal.schemes.comparison import Comparison

logger = logging.getLogger(__name__)


class UnsavedError(ResultsError):
    """A run has ended, and what it ended with cannot be written; it is in `run`."""

    def __init__(self, message: str, run: Run) -> None:
        super().__init__(message)
        self.run = run


def run(
    config: Config,
    folder: str | Path | None = None,
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
    folder : str or Path, optional
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
    folder = Path(folder) if folder is not None else None
    with process_lock, locked_folder(folder) if folder else nullcontext():
        check(config)
        if folder and not resume:
            if not config.overwrite:
                check_unused(folder)
            clear_folder(folder, resuming=False)
        return _run(config, folder, overrides, resume, backend, sweep)


def _run(
    config: Config,
    folder: Path | None,
    overrides: Sequence[str],
    resume: bool,
    backend: "Backend | None",
    sweep: Path | None,
) -> Run:
    """Build what the configuration names, prepare the data, find out where the run begins, and train."""
    groups = build_groups(config, backend, PRELOAD if folder and config.figures else ())
    from fedlocal.schemes.baselines import Baselines  # while workers start
    from fedlocal.schemes.comparison import Comparison

    check_groups(groups, config)
    interval = _checkpoint_interval(config, groups, resume) if folder else 0
    announce_all(unused_option_notices(config, groups), config)
    open_trackers(groups.trackers, folder)
    setting = prepare(config, groups, folder / "journal.jsonl" if folder else None)
    announce_all(setting_notices(config, setting), config)
    if capabilities_of(groups.scheme).has_server:
        warn_of_weakness(setting)
    if setting.choice:
        config = with_actors(config, setting.choice.actors)
    with setting.slices.shards:
        data: Fingerprint = {}
        if folder:
            data = {**fingerprint(setting.dataset), **division_of(setting.partition.order, setting.slices)}
        if folder and resume:
            check_data(folder, data)
        shared = shared_baseline(config, setting, folder, sweep, data) if folder and sweep else None
        baselines = Baselines(setting, folder, shared) if config.baseline else None
        comparison = Comparison(scheme_name(groups.scheme), setting, folder, baselines)
        about = _identity(comparison, config, data)
        start = _starting_point(folder, about, comparison, config) if folder and resume else None
        return _train(config, groups, comparison, start, about, interval, overrides, data)


def _checkpoint_interval(config: Config, groups: Groups, resume: bool) -> int:
    """Return the number of rounds from one checkpoint to the next; 0 where there are to be none."""
    local, interval, reason = groups.backend.local, config.checkpoint_every or 0, None
    if not local:
        reason = "its clients were an engine's, and have gone with it"
    elif groups.strategy is not None:
        from fedlocal.strategies.state import why_not_resumable

        reason = why_not_resumable(groups.strategy)
    if reason is None:
        return interval
    if resume:
        raise ResumeError(f"the run cannot be resumed: {reason}; run it anew")
    if interval and local:  # whoever chose an engine knows: its documentation says so
        logger.warning("no checkpoints are written, and the run cannot be resumed: %s", reason)
    return 0


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
    groups: Groups,
    comparison: "Comparison",
    start: Checkpoint | None,
    about: Mapping[str, Any],
    interval: int,
    overrides: Sequence[str],
    data: Fingerprint,
) -> Run:
    """Train, record the run as it goes on, and save its models."""
    model_spec = ModelSpec.of_run(config, comparison.setting.dataset, data)
    done, idle, ended = start.round if start else 0, not config.checkpoint_every, None
    files = save_while_training(comparison, model_spec, about, interval, done, idle=idle)
    display = progress(config.rounds, comparison.name, config.display.value, done=done)
    try:
        with (
            track_run(groups.trackers, config, comparison, overrides) as tracking,
            record_run(config, comparison, overrides, data),
        ):
            with comparison.setting.slices.shards, files, display as show:  # figures need no shards
                trained = comparison.run(groups.scheme, tracking.after(show), start)
            models = {name: dict(arrays) for name, arrays in trained.models.items()}
            results = comparison.arms(), comparison.histories, comparison.hashes, models, model_spec
            ended = Run(comparison.folder, *results)
            save_final_models(trained, comparison, model_spec)
    except ResultsError as error:
        if ended is None:
            raise
        raise UnsavedError(str(error), ended) from error
    return ended
