"""Going on with a run that was ended or killed, to the same bits as if it had never ended."""

import logging
from pathlib import Path

from fedlocal.config.dotted_keys import as_plain
from fedlocal.config.neutral_options import CHANGEABLE
from fedlocal.config.schema import Config
from fedlocal.config.trust import check_stored, read_yaml
from fedlocal.experiment.result import Run
from fedlocal.experiment.run import run
from fedlocal.experiment.run_folder import (
    ResumeError,
    differences,
    is_completed,
    run_folder,
    stored_config,
    stored_options,
    sweep_of,
)
from fedlocal.inference.model_spec import ModelSpec
from fedlocal.results import History, arm_folder, load_arrays, read_manifest, read_run

logger = logging.getLogger(__name__)


def resume(folder: str | Path, *overrides: str, trust: bool = False) -> Run:
    """Go on with a run from its last checkpoint, in its folder, to the same bits as if it had never ended.

    A run without a checkpoint starts anew; one that has completed is read, or trained on if there are to be
    more rounds than it has done.

    Parameters
    ----------
    folder : str or Path
        Of the run.
    *overrides : str
        As on the command line: ``"workers=2"``, ``"backend=inline"``, ``"display=off"``, and
        ``"rounds=30"``, the number of rounds in all.
    trust : bool
        Whether to import and call whatever the run's configuration names, as a model of your own;
        ``"trust=true"`` says the same.

    Returns
    -------
    Run
        As `fedlocal.run` gives it.

    Raises
    ------
    ResumeError
        If the folder is not a run's, an override is not allowed, or the strategy's state is not declared.
    TrustError
        If the configuration names code that is to be trusted first.
    ResultsError
        If there are checkpoints but none is sound (each is named, with the reason), or another run is
        writing to the folder.
    """
    path = run_folder(folder)
    config = stored_config(path, (*overrides, "trust=true") if trust else overrides)
    if is_completed(path):
        if config.rounds == stored_options(path / "config.yaml").get("rounds"):
            return read(path, trust=config.trust)
        if not any(path.glob("checkpoints/*.ckpt")):
            raise ResumeError(
                f"rounds={config.rounds}: {path} has completed without a checkpoint to go on from; train it "
                "anew, with checkpoint_every=1"
            )
    all_overrides = [*_first_overrides(path), *overrides]
    return run(config, path, all_overrides, resume=True, sweep=sweep_of(path))


def run_or_resume(config: Config, folder: Path, overrides: list[str], sweep: Path) -> Run:
    """Make a run of a sweep; if it is to be resumed, what it has completed before is read.

    Raises
    ------
    TrustError
        If the sweep is a stored one, and names code that is to be trusted first.
    ResumeError
        If its folder holds another run.
    Exception
        As of `fedlocal.run`.
    """
    if not config.trust:
        check_stored(as_plain(config), sweep / "multirun.yaml")
    if not (config.sweep.resume and (folder / "config.yaml").is_file()):
        return run(config, folder, overrides, sweep=sweep)
    if changes := differences(folder, config):
        raise ResumeError(
            f"{folder} holds a run of another sweep ({', '.join(changes)}): choose another hydra.sweep.dir"
        )
    if is_completed(folder):
        return read(folder, trust=config.trust)
    stored = stored_config(folder, (f"trust={config.trust}",))
    for key in CHANGEABLE:
        stored[key] = config[key]  # type: ignore[index]
    try:
        return run(stored, folder, overrides, resume=True, sweep=sweep)
    except ResumeError as error:
        logger.info("%s", error)
        stored.overwrite = True
        return run(stored, folder, overrides, sweep=sweep)


def read(folder: Path, *, trust: bool = False) -> Run:
    """Return a run that has completed, as its files hold it; `trust`: its model may be of anybody's code."""
    summary = read_run(folder)
    homes = {arm.name: arm_folder(folder, arm.name) if at else folder for at, arm in enumerate(summary.arms)}
    histories = {name: History.load(home) for name, home in homes.items()}
    paths = [*folder.glob("model.npz"), *sorted(folder.glob("actor-*.npz"), key=lambda path: len(path.stem))]
    models = {path.stem: load_arrays(path) for path in paths}
    manifest = folder / "model.json"
    spec = ModelSpec.read(read_manifest(manifest), manifest, trust=trust) if manifest.is_file() else None
    return Run(folder, list(summary.arms), histories, dict(summary.hashes), models, spec)


def _first_overrides(folder: Path) -> list[str]:
    """Return what was asked for when the run began, as Hydra noted it."""
    path = folder / ".hydra" / "overrides.yaml"
    try:
        return list(map(str, read_yaml(path)))
    except (OSError, ValueError, TypeError):  # none, or a damaged one: it is a note, no more
        return []
