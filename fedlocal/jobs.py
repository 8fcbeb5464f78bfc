"""The jobs of a command line: Hydra composes a configuration, a run makes results, a table shows them."""

import logging
import math
import os
import shlex
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from hydra.utils import to_absolute_path

from fedlocal.config import Config, folder, is_ours

if TYPE_CHECKING:
    from fedlocal.experiment import Run

logger = logging.getLogger("fedlocal")


class _Session:
    """What this process learns while Hydra has the floor."""

    failed = False
    resuming = False
    run_folder: Path | None = None
    sweep_folder: Path | None = None


class LogFile(logging.FileHandler):
    """A log that a full disk or a lost folder ends, with one warning, and that does not end the run."""

    _ended = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, if there is still something to write to."""
        if self._ended:
            return
        try:
            super().emit(record)
        except OSError:  # of opening it, which logging leaves to us
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say so once, and write no more."""
        del record
        self._ended = True
        _say(f"WARNING: nothing more is written to {self.baseFilename}: {sys.exc_info()[1]}")
        with suppress(OSError):
            self.close()


class NoteSweep(Callback):
    """Learns of a sweep when it starts, since Hydra tells of its end only if all went well."""

    def on_multirun_start(self, config: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Note where the sweep's runs will lie."""
        _Session.sweep_folder = Path(config.hydra.sweep.dir).absolute()


def run_jobs(*, resuming: bool = False) -> int | str | None:
    """Do what the command line asks for; return the exit code.

    Parameters
    ----------
    resuming : bool
        Whether the output folder is that of a run to go on with.
    """
    code: int | str | None = 1
    _Session.resuming = resuming
    try:
        _hydra()
        code = 0
    except KeyboardInterrupt:
        code = 130
    except SystemExit as leaving:
        code = leaving.code
    _conclude(code)
    return 1 if code == 0 and _Session.failed else code


def _conclude(code: int | str | None) -> None:
    """Say what is left to say when Hydra is done, however it ended."""
    place, interrupted = _Session.run_folder, isinstance(code, int) and code > 128
    if _Session.sweep_folder and _Session.sweep_folder.is_dir():
        _show(partial(_print_sweep, _Session.sweep_folder))
    elif place and interrupted:
        _say(f"interrupted; the results so far are in {place}")
    if place and interrupted and any(place.glob("checkpoints/*.ckpt")):
        _say(f"go on with: fedlocal {shlex.quote(f'resume={place}')}")


def _itself(store: ConfigStore, memo: object) -> ConfigStore:
    """Return the store of all schemas in place of a copy: there is but one, and what it hands out are copies.

    Hydra copies its repository, and the store in it, with each look at a group: for `--help`, which looks at
    all of them, that was more than a third of the time.
    """
    del memo
    return store


ConfigStore.__deepcopy__ = _itself  # type: ignore[attr-defined]


@hydra.main(version_base="1.3", config_path=str(folder()), config_name="config")
def _hydra(config: Config) -> float:
    return run_job(config)


def run_job(config: Config) -> float:
    """Run one configuration in the folder that Hydra made for it; return the objective for sweepers.

    A failure is reported and noted, not raised, so that the other runs of a sweep go on.
    """
    job = HydraConfig.get()
    _Session.run_folder = place = Path(job.runtime.output_dir)
    sweep = Path(to_absolute_path(job.sweep.dir))
    objective, outcome = math.nan, None
    try:
        outcome = _outcome(config, place, list(job.overrides.task))
        objective = _objective(outcome)
    except Exception as error:  # noqa: BLE001 - reported in full; other runs go on
        _Session.failed = True
        _report(error, place, list(job.overrides.task))
    if job.mode is RunMode.MULTIRUN:
        from fedlocal.results.sweep import write_sweep

        write_sweep(sweep)
    elif outcome:
        _show(partial(_print_run, outcome))
    return objective


def _outcome(config: Config, place: Path, overrides: list[str]) -> "Run":
    """Run, or go on with what was begun: then the configuration is that of the folder."""
    from fedlocal.experiment import run
    from fedlocal.resuming import completed, resume

    if not _Session.resuming:
        return run(config, place, overrides)
    done = completed(place)
    outcome = resume(place, *overrides)
    if done:
        _say(f"{place} has completed before: nothing was left to train")
    return outcome


def _show(print_: Callable[[], None]) -> None:
    """Print results; a reader that has gone away (`| head`) is no failure of the run."""
    try:
        print_()
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # Rich makes the one into the other
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _Session.failed = True
        _say(f"error: the results could not be printed: {error}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _objective(outcome: "Run") -> float:
    """Return the final accuracy, or the negated loss where there is none: more is better."""
    arm = outcome.arms[0]
    return arm.accuracy if arm.accuracy is not None else -(arm.loss if arm.loss is not None else math.nan)


def _print_run(outcome: "Run") -> None:
    from rich.console import Console

    from fedlocal.results.table import comparison_table

    console = Console(highlight=False)
    main, *_ = outcome.hashes
    console.print(comparison_table(outcome.arms, main=outcome.histories[main]))
    errors = sum(len(one.errors) for one in outcome.histories[main].rounds)
    tainted = f" ({errors} messages ended in an error)" if errors else ""
    console.print(f"weights {outcome.hashes[main][:16]}{tainted}", soft_wrap=True)
    console.print(f"results {outcome.folder}", soft_wrap=True)


def _print_sweep(place: Path) -> None:
    from rich.console import Console

    from fedlocal.results.sweep import sweep_table, write_sweep

    rows = write_sweep(place)
    console = Console(highlight=False)
    console.print(sweep_table(rows))
    console.print(f"results {place.absolute()}", soft_wrap=True)


def _report(error: Exception, place: Path, overrides: list[str]) -> None:
    """Tell people what went wrong, keep the traceback in the log, and leave a summary for the sweep."""
    from fedlocal.results import FolderInUseError, ResultsError, write_json
    from fedlocal.resuming import ResumeError

    logger.info("the run failed", exc_info=error)
    if is_ours(error):
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        _say(f"error: {error}{notes}")
    else:
        _say("".join(traceback.format_exception(error)))
    summary, reason = place / "summary.json", f"{type(error).__name__}: {error}"
    if summary.exists() or isinstance(error, FolderInUseError | ResumeError):  # the folder is another run's
        return
    with suppress(ResultsError):  # most likely it is what went wrong before
        write_json(summary, {"status": "failed", "error": reason, "overrides": overrides, "arms": []})


def _say(text: str) -> None:
    with suppress(OSError):  # nobody listens any more
        print(text.rstrip(), file=sys.stderr)
