"""What a run's folder holds beside its histories: how it was asked for, where it ran, and how it ended."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import OmegaConf

from fedlocal.config.schema import Config
from fedlocal.config.trust import read_yaml
from fedlocal.data import Fingerprint, differing_parts
from fedlocal.experiment.figures import draw
from fedlocal.experiment.partition_summary import summarize_partition
from fedlocal.experiment.run_folder import ResumeError
from fedlocal.results import ResultsError, environment, read_json, write_json, write_yaml
from fedlocal.trackers.base import Status

if TYPE_CHECKING:
    from fedlocal.schemes.comparison import Comparison

DATA = "data.json"

logger = logging.getLogger(__name__)


@contextmanager
def record_run(
    config: Config, comparison: "Comparison", overrides: Sequence[str], data: Fingerprint
) -> Iterator[None]:
    """Write what is known before training, and afterwards, however it ended, what it gave.

    Where results can no longer be written after a run that failed, its failure stays the news.
    """
    folder = comparison.folder
    if folder is None:
        yield
        return
    _write_setting(config, comparison, folder, data)
    status, reason = status_of(None)
    try:
        yield
    except BaseException as error:
        status, reason = status_of(error)
        raise
    finally:
        summary = {
            "status": status,
            "error": reason,
            "overrides": list(overrides),
            "malicious": list(comparison.setting.malicious),
            "arms": [asdict(arm) for arm in comparison.arms()],
            "hash": comparison.hashes.get(comparison.name),
            "hashes": comparison.hashes,
            "rounds": config.rounds,
            "duration": comparison.duration,
        }
        try:
            if not (folder / "config.yaml").exists():  # somebody deleted the folder meanwhile
                _write_setting(config, comparison, folder, data)
            write_json(folder / "summary.json", summary, seal=True)
        except ResultsError as problem:
            if status == "completed":
                raise
            logger.warning("%s", problem)
        if config.figures:
            setting = comparison.setting
            partition = summarize_partition(setting.dataset, setting.partition)
            draw(folder, comparison.histories, partition, setting.backend.system)


def status_of(error: BaseException | None) -> tuple[Status, str | None]:
    """Return how a run ended that was left with this error, if with any, and why if it failed."""
    if error is None:
        return "completed", None
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return "interrupted", None
    return "failed", f"{type(error).__name__}: {error}"


def check_data(folder: Path, data: Fingerprint) -> None:
    """Refuse to go on with a run in a folder if its data are not those that it began with.

    Raises
    ------
    ResumeError
        Saying of what the data have changed.
    """
    try:
        then = read_json(folder / DATA)
        differing = differing_parts(then, data)
    except (OSError, ValueError, TypeError):  # none, or a damaged one; the checkpoints know it, too
        return
    if differing:
        raise ResumeError(
            f"{folder} cannot be gone on with: its data have changed since it began ({differing}; "
            f"{then.get('rows')} rows then, {data['rows']} now). Put the old data back, or begin a new run"
        )


def _write_setting(config: Config, comparison: "Comparison", folder: Path, data: Fingerprint) -> None:
    with suppress(OSError):  # what is in the way, writing will say
        folder.mkdir(parents=True, exist_ok=True)
    setting = comparison.setting
    write_json(folder / "environment.json", {**environment(), "workers": setting.workers}, seal=True)
    divided = summarize_partition(setting.dataset, setting.partition)
    write_json(folder / "partition.json", divided, indent=None, seal=True)
    if choice := setting.choice:
        write_json(folder / "actors.json", choice.as_json(), seal=True)
    if not (folder / DATA).exists():
        write_json(folder / DATA, data, seal=True)
    path, stored = folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True)
    if path.exists():  # a run that goes on leaves it as it was asked for, but for the number of rounds
        before = read_yaml(path)
        if before.get("rounds") == config.rounds:
            return
        stored = OmegaConf.to_yaml(OmegaConf.create({**before, "rounds": config.rounds}))
    write_yaml(path, stored)
