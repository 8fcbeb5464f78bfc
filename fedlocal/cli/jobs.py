"""The jobs of a command line: Hydra composes a configuration, a run makes results, a table shows them."""

import logging
import math
import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from hydra.utils import to_absolute_path

from fedlocal.compat.hydra import group_options
from fedlocal.config.compose import conf_folder
from fedlocal.config.neutral_options import is_neutral
from fedlocal.config.old_addresses import replace_old_addresses
from fedlocal.config.schema import Config, ConfigError, Display, is_fedlocal_error
from fedlocal.config.suggestions import explained, unknown_options
from fedlocal.signals import code_of_signal, end_with_parent

if TYPE_CHECKING:
    from rich.console import Console

    from fedlocal.display.sweep_progress import ShowSweep
    from fedlocal.experiment.result import Run
    from fedlocal.results import SweepRow

logger = logging.getLogger("fedlocal")
FULL_ERROR = "HYDRA_FULL_ERROR"


class _Session:
    """What this process learns while Hydra has the floor; those of a launcher learn nothing of a sweep."""

    failed = False
    resuming: Path | None = None
    report = True  # whether a page is wanted
    figures = True  # whether a sweep's figure is wanted
    run_folder: Path | None = None
    shown = False
    sweep_folder: Path | None = None
    show: "ShowSweep | None" = None
    closing = ExitStack()  # ends the sweep's display


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
        """Note where the sweep's runs will lie, and show that it begins."""
        from fedlocal.display.progress import announce
        from fedlocal.display.sweep_progress import sweep_progress
        from fedlocal.experiment.sweep import concurrent_runs, sharing_notice, value_counts, wrong_direction

        problems = _unknown_options(config.hydra.overrides.task)
        if problem := wrong_direction(config.objective, config.hydra.sweeper):
            problems.append(problem)
        if problems:
            _say("\n".join(f"error: {problem}" for problem in problems))
            sys.exit(1)
        _Session.report, _Session.figures = config.report, config.figures
        _Session.sweep_folder = Path(config.hydra.sweep.dir).absolute()
        counts, display = value_counts(config.hydra), config.display.value
        runs = math.prod(counts.values()) if counts is not None else None
        if notice := sharing_notice(config.hydra.launcher, runs):
            announce(notice, display)
        elif concurrent_runs(config.hydra.launcher) == 1:
            swept = [option for option, values in (counts or {}).items() if values > 1]
            _Session.show = _Session.closing.enter_context(sweep_progress(runs, swept, display))


def _unknown_options(overrides: Iterable[str]) -> list[str]:
    """Find what would be added to the top of all runs though it is no option, nor a group of presets."""
    added = [match[1] for override in overrides if (match := re.match(r"\+{1,2}(\w+)[.=]", override))]
    return unknown_options([key for key in added if not group_options(key)], Config)


def run_jobs(*, resuming: Path | None = None) -> int | str | None:
    """Do what the command line asks for, or go on with the run in a folder; return the exit code."""
    code: int | str | None = 1
    _Session.resuming = resuming
    try:
        with _explained_errors():
            _hydra()
        code = 0
    except KeyboardInterrupt:
        code = 130
    except SystemExit as leaving:
        code = leaving.code
    code = code_of_signal() or code
    _conclude(code)
    return 1 if code == 0 and _Session.failed else code


@contextmanager
def _explained_errors() -> Iterator[None]:
    """Say in our words what Hydra refuses; its own words advise to append what was mistyped."""
    full = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"  # or Hydra prints the error, and ends the process
    try:
        yield
    except Exception as error:  # noqa: BLE001 - what is no mistake in the options has its traceback
        if code := code_of_signal():
            sys.exit(code)
        explanation = explained(error, sys.argv[1:], conf_folder()) if full != "1" else None
        _say(f"error: {explanation}" if explanation else "".join(traceback.format_exception(error)))
        sys.exit(1)
    finally:
        os.environ.pop(FULL_ERROR) if full is None else os.environ.update({FULL_ERROR: full})


def _conclude(code: int | str | None) -> None:
    """Say what is left to say when Hydra is done, however it ended."""
    _Session.closing.close()
    folder, interrupted = _Session.run_folder, isinstance(code, int) and code > 128
    if _Session.sweep_folder and _Session.sweep_folder.is_dir():
        _print_sweep(_Session.sweep_folder)
    elif folder and interrupted:
        if not _Session.shown:
            _print_arms(folder)
        _say(f"interrupted; the results so far are in {folder}")
    if _Session.sweep_folder and interrupted and (_Session.sweep_folder / "multirun.yaml").is_file():
        _say(f"go on with: fedlocal {shlex.quote(f'resume={_Session.sweep_folder}')}")
    elif folder and interrupted and any(folder.glob("checkpoints/*.ckpt")):
        _say(f"go on with: fedlocal {shlex.quote(f'resume={folder}')}")


@hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")
def _hydra(config: Config) -> float:
    return run_job(config)


def run_job(config: Config) -> float:
    """Run one configuration in the folder that Hydra made for it; return the objective for sweepers.

    A failure is reported and noted, not raised, so that the other runs of a sweep go on.
    """
    from fedlocal.experiment.run import UnsavedError
    from fedlocal.experiment.sweep import direction_of, finite_objective

    replace_old_addresses(config)
    job = HydraConfig.get()
    _Session.run_folder = folder = _Session.resuming or Path(job.runtime.output_dir)
    sweep = Path(to_absolute_path(job.sweep.dir)) if job.mode is RunMode.MULTIRUN else None
    overrides = list(job.overrides.task)
    if sweep:  # how it is watched and gone on with is no setting of its runs
        overrides = [override for override in overrides if not is_neutral(override)]
    objective, outcome, display = math.nan, None, config.display
    _Session.report, _Session.figures = config.report, config.figures
    try:
        if sweep:
            _begin(config, _name(folder, sweep), overrides)
        outcome = _run_or_resume(config, folder, overrides, sweep)
        objective = _objective(outcome, config.objective)
    except Exception as error:  # noqa: BLE001 - reported in full; other runs go on
        if code := code_of_signal():  # that made an error of something
            sys.exit(code)
        _Session.failed = True
        if isinstance(error, UnsavedError):
            _print_run(error.run)
        _report_failure(error, folder, overrides)
    if sweep:
        _end(folder, sweep, display)
    elif outcome:
        _print_run(outcome)
        _print_report(folder)
    return finite_objective(objective, direction_of(job.sweeper))


def _name(folder: Path, sweep: Path) -> str:
    return folder.relative_to(sweep).as_posix() if folder.is_relative_to(sweep) else folder.name


def _begin(config: Config, name: str, overrides: list[str]) -> None:
    """Show which run of a sweep is next or, where several run at once, take this one's share of the cores."""
    from fedlocal.experiment.sweep import share_cores
    from fedlocal.results.runs import parse_overrides

    if _Session.show:
        _Session.show.started(name, parse_overrides(overrides))
    else:
        if _Session.sweep_folder is None:  # a launcher's process: it would train on if its sweep were killed
            end_with_parent()
        share_cores(config, HydraConfig.get().launcher)
        config.display = Display.off  # rounds of several runs at once are nothing to read


def _end(folder: Path, sweep: Path, display: Display) -> None:
    """Show how a run of a sweep went, and what the sweep has so far."""
    from fedlocal.display.progress import announce
    from fedlocal.display.sweep_progress import sweep_line
    from fedlocal.results import read_run

    row = read_run(folder, _name(folder, sweep))
    if _Session.show:
        _Session.show.done(row)
    else:
        announce(sweep_line(row), display.value)
    _write_sweep(sweep)


def _write_sweep(sweep: Path) -> "list[SweepRow]":
    """Write what a sweep has so far; a table that cannot be replaced, being open elsewhere, ends nothing."""
    from fedlocal.report.sweep_table import write_sweep
    from fedlocal.results import ResultsError, collect

    try:
        return write_sweep(sweep, figure=_Session.figures)
    except ResultsError as error:
        _Session.failed = True
        _say(f"error: {error}")
        return collect(sweep)


def _run_or_resume(config: Config, folder: Path, overrides: list[str], sweep: Path | None) -> "Run":
    """Run, or go on with what was begun."""
    from fedlocal.experiment.resume import resume, run_or_resume
    from fedlocal.experiment.run import run
    from fedlocal.experiment.run_folder import is_completed, stored_options
    from fedlocal.results import read_run

    if sweep:
        return run_or_resume(config, folder, overrides, sweep)
    if not _Session.resuming:
        return run(config, folder, overrides)
    before = read_run(folder).rounds if is_completed(folder) else None
    outcome = resume(folder, *overrides)
    if not any(override.startswith("report=") for override in overrides):  # it is as it was asked for
        _Session.report = bool(stored_options(folder / "config.yaml").get("report", True))
    if before == read_run(folder).rounds:
        _Session.report = False  # its files stay as they are
        _say(f"{folder} has completed before: nothing was left to train")
    return outcome


@contextmanager
def _printing() -> "Iterator[Console]":
    """Print results; a reader that has gone away (`| head`) is no failure of the run."""
    from rich.console import Console

    try:
        yield Console(highlight=False)
        sys.stdout.flush()
    except (OSError, SystemExit) as error:  # Rich makes of a broken pipe the latter
        if code := code_of_signal():
            sys.exit(code)
        if not isinstance(error, BrokenPipeError | SystemExit):
            _Session.failed = True
            _say(f"error: the results could not be printed: {error}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _objective(outcome: "Run", metric: str | None) -> float:
    """Return the objective of a sweeper: by default the accuracy, or the loss where it minimises."""
    from fedlocal.experiment.sweep import default_objective, direction_of

    arm = outcome.arms[0]
    if metric is None:
        return default_objective(arm.accuracy, arm.loss, direction_of(HydraConfig.get().sweeper))
    history = outcome.histories[arm.name]
    values = {name: history.final(name) for round_ in history.rounds for name in round_.metrics}
    values["seconds"] = history.seconds
    value = values.get(metric)
    if value is None:
        raise ConfigError(f"objective={metric}: the run has no such metric, only {', '.join(sorted(values))}")
    return value


def _print_run(outcome: "Run") -> None:
    from fedlocal.display.table import comparison_table

    main, *_ = outcome.hashes
    history = outcome.histories[main]
    with _printing() as console:
        console.print(comparison_table(outcome.arms, main=history))
        _Session.shown = True
        tainted = f" ({history.error_count} messages ended in an error)" if history.error_count else ""
        print(f"weights {outcome.hashes[main][:16]}{tainted}")
        print(f"results {outcome.folder}")
        if not _Session.report:
            print(f"more    fedlocal report {shlex.quote(str(outcome.folder))}")


def _print_arms(folder: Path) -> None:
    """Print the table of a run that was interrupted, as far as it came."""
    from fedlocal.display.table import comparison_table
    from fedlocal.results import read_run

    if arms := read_run(folder).arms:
        with _printing() as console:
            console.print(comparison_table(arms))


def _print_sweep(sweep: Path) -> None:
    from fedlocal.report.sweep_table import sweep_notes, sweep_table

    if not (rows := _write_sweep(sweep)):  # it was refused
        return
    _Session.failed |= any(row.status != "completed" for row in rows)  # in other processes, too
    with _printing() as console:
        console.print(sweep_table(rows))
        for note in sweep_notes(rows):
            console.print(note, style="dim", markup=False, soft_wrap=True)
        print(f"results {sweep.absolute()}")
    _print_report(sweep)


def _print_report(folder: Path) -> None:
    """Write the page over a run or a sweep, unless it is not wanted, and say where it is."""
    from fedlocal.report import write_report
    from fedlocal.results import ResultsError

    if not _Session.report:
        return
    try:
        page = write_report([folder], folder)
    except ResultsError as error:  # also where no run left anything to tell of
        _say(f"no report: {error}")
        return
    with _printing():
        print(f"report  {page.absolute()}")


def _report_failure(error: Exception, folder: Path, overrides: list[str]) -> None:
    """Tell people what went wrong, keep the traceback in the log, and leave a summary for the sweep."""
    from fedlocal.experiment.run_folder import ResumeError
    from fedlocal.results import FolderInUseError, FolderUsedError, ResultsError, write_json

    logger.info("the run failed", exc_info=error)
    if is_fedlocal_error(error):
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        _say(f"error: {error}{notes}")
    else:
        _say("".join(traceback.format_exception(error)))
    summary, reason = folder / "summary.json", f"{type(error).__name__}: {error}"
    used = _Session.resuming or isinstance(error, FolderInUseError | FolderUsedError | ResumeError)
    if used or summary.exists():  # the folder is another run's
        return
    with suppress(ResultsError):  # most likely it is what went wrong before
        write_json(summary, {"status": "failed", "error": reason, "overrides": overrides, "arms": []})


def _say(text: str) -> None:
    with suppress(OSError):  # nobody listens any more
        print(text.rstrip(), file=sys.stderr)
