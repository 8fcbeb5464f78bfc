"""The one runner of all studies: it makes the trials that are missing, writes each as it comes, and reports.

A study declares its parts and its report, and is a program by ``sys.exit(main(STUDY))``. A part knows its
tasks, each of which makes a trial and writes it down, and its records: what has been made so far. There are
three kinds: `trials.Comparison`, whose trials are runs of fedlocal; `rows.Section`, whose arms take turns in
one session; and the study of faults has its own.
"""

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fedlocal.results import environment
from fedlocal.results.formatting import duration

WITH = "options of fedlocal for all runs, such as dataset=mnist workers=4; in a --folder of their own"


class StudyError(ValueError):
    """A study cannot be run as it stands."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Parameters
    ----------
    folder : Path
        Of the report; runs are in ``runs`` there.
    quick : bool
        Whether to find out only that it works: fewer trials, smaller cases, no waiting for quiet moments.
    trials : int, optional
        Of each arm, in place of the part's own number.
    overrides : tuple of str
        Options of fedlocal for all runs.
    peers : Path, optional
        The folder of the peers' environments; without it no peer is measured.
    scratch : Path
        A folder that is there until all is over.
    """

    folder: Path
    scratch: Path
    quick: bool = False
    trials: int | None = None
    overrides: tuple[str, ...] = ()
    peers: Path | None = None


@dataclass(frozen=True)
class Task:
    """A trial that is to be made: of which arm, which one, and what makes it and writes it down."""

    arm: str
    trial: str
    make: Callable[[], object]


class Part(Protocol):
    """A part of a study."""

    @property
    def name(self) -> str:
        """What ``--only`` takes."""
        ...

    def tasks(self, options: Options) -> Iterable[Task]:
        """Return the trials that are not there yet, in order; whatever is wrong is found here."""
        ...

    def records(self, folder: Path) -> Sequence[Any]:
        """Return what has been made so far."""
        ...


@dataclass(frozen=True)
class Study:
    """A question that can be run.

    Parameters
    ----------
    home : Path
        Its folder: where the report goes unless ``--folder`` says where else.
    parts : callable
        Returns what to run; given True, a short form of it.
    report : callable
        Given the records of all parts and a folder, draws the figures there and returns ``results.md``.
    quick : tuple of str, optional
        The parts of the short form; by default all.
    """

    home: Path
    parts: Callable[[bool], Sequence[Part]]
    report: Callable[[Sequence[Any], Path], str]
    quick: tuple[str, ...] | None = None


def main(study: Study, arguments: Sequence[str] | None = None) -> int:
    """Run what is missing of a study, and report.

    Parameters
    ----------
    study : Study
        Which.
    arguments : sequence of str, optional
        In place of the process's.

    Returns
    -------
    int
        The exit code: 1 if a trial failed or there is nothing to report, 2 if the study cannot be run, 130
        if it was ended with Ctrl-C or SIGTERM.
    """
    words = sys.argv[1:] if arguments is None else arguments
    given = command_line(study, words)
    print(f"python -m experiments.{study.home.name}", *words, flush=True)
    for ending in (signal.SIGINT, signal.SIGTERM):  # both as Ctrl-C, which a shell's background job ignores
        signal.signal(ending, signal.default_int_handler)
    folder = given.folder or (Path(f"{study.home.name}-quick") if given.quick else study.home)
    failed = 0
    try:
        with tempfile.TemporaryDirectory(prefix=f"{study.home.name}-") as scratch:
            peers, overrides = given.peers and given.peers.absolute(), tuple(given.overrides)
            options = Options(folder.absolute(), Path(scratch), given.quick, given.trials, overrides, peers)
            if not given.report_only:
                failed = _made(_chosen(study, given), options, given.seconds)
    except KeyboardInterrupt:
        print("\nended; the same command goes on from here", file=sys.stderr)
        return 130
    except StudyError as error:
        print(error, file=sys.stderr)
        return 2
    records = [record for part in study.parts(False) for record in part.records(options.folder)]
    if not records:
        print(f"{options.folder} holds no completed run", file=sys.stderr)
        return 1
    text = study.report(records, options.folder)
    (options.folder / "results.md").write_text(text, encoding="utf-8")
    return 1 if failed else 0


def make(tasks: Sequence[Task], name: str, seconds: float = float("inf")) -> int:
    """Make trials one after another, with a line about each.

    Parameters
    ----------
    tasks : sequence of Task
        What to make.
    name : str
        What the lines begin with.
    seconds : float
        After which no other trial begins.

    Returns
    -------
    int
        How many failed: each has its traceback on stderr; the others go on.
    """
    began, failed, took = time.monotonic(), 0, dict[str, float]()
    for at, task in enumerate(tasks, start=1):
        started = time.monotonic()
        if started - began > seconds:
            break
        try:
            task.make()
        except Exception:  # noqa: BLE001 - whatever it is, it is one trial's
            traceback.print_exc()
            failed += 1
        took[task.arm] = time.monotonic() - started
        average = sum(took.values()) / len(took)
        left = sum(took.get(later.arm, average) for later in tasks[at:])
        line = f"{name} {at}/{len(tasks)}: {task.arm}, {task.trial}, {duration(took[task.arm])}"
        print(f"{line}; {duration(left)} to go" if left else line, flush=True)
    return failed


def _made(parts: Sequence[Part], options: Options, seconds: float) -> int:
    tasks = [(part.name, list(part.tasks(options))) for part in parts]  # all that is wrong comes first
    options.folder.mkdir(parents=True, exist_ok=True)
    if any(of_part for _, of_part in tasks):
        machine = environment()
        print(f"{machine['cores']['usable']} cores of {machine['cpu']}, {machine['platform']}", flush=True)
    until = time.monotonic() + seconds
    return sum(make(of_part, name, until - time.monotonic()) for name, of_part in tasks)


def _chosen(study: Study, given: argparse.Namespace) -> list[Part]:
    only = given.only or (study.quick if given.quick else None)
    return [part for part in study.parts(given.quick) if only is None or part.name in only]


def command_line(study: Study, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line, which all studies write alike."""
    names, home = [part.name for part in study.parts(False)], study.home.name
    about = f"The study {home}; its README.md says what it asks."
    parser = argparse.ArgumentParser(f"python -m experiments.{home}", description=about)
    parser.add_argument("--quick", action="store_true", help="a minute or two on little data: does it work?")
    parser.add_argument("--only", nargs="+", choices=names, help="parts to run; the report is of all")
    parser.add_argument("--trials", type=_count, help="of each arm, in place of the study's own number")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="then no other trial begins")
    parser.add_argument("--with", nargs="+", default=[], metavar="KEY=VALUE", dest="overrides", help=WITH)
    parser.add_argument("--peers", type=Path, help="folder of the peers' environments, made where missing")
    parser.add_argument("--folder", type=Path, help=f"of runs and report; with --quick ./{home}-quick")
    parser.add_argument("--report-only", action="store_true", help="run nothing, report on what is there")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give at least 1")
    return int(text)
