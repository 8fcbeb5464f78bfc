"""The command line that all studies have in common: run what is missing, then report from the folders.

A study's program is what differs, its arms and its report::

    if __name__ == "__main__":
        sys.exit(main(Path(__file__).parent, studies, report))
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.outcomes import Trial, load, write_csv, write_environment
from experiments.trials import Study, StudyError, run

Report = Callable[[Sequence[Trial], Path], None]
"""Draws figures and writes ``results.md`` of trials, of all studies, into a folder."""

WITH = "options of fedlocal for all runs, such as dataset=mnist workers=4; in a --folder of their own"


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Parameters
    ----------
    folder : Path
        Of the report; the runs are in ``<folder>/runs/<study>``.
    studies : list of Study
        Which to run.
    report_only, quick : bool
        Whether to run nothing; whether to find out only that it works.
    """

    folder: Path
    studies: list[Study]
    report_only: bool
    quick: bool


def main(
    home: Path,
    studies: Callable[[bool], Sequence[Study]],
    report: Report,
    arguments: Sequence[str] | None = None,
) -> int:
    """Run studies and report on them.

    Parameters
    ----------
    home : Path
        The folder of the program: where the report goes unless ``--folder`` says where else.
    studies : callable
        Returns what to run; given True, a short form of it.
    report : callable
        Writes ``results.md`` and the figures; ``results.csv`` and ``environment.json`` are written already.
    arguments : sequence of str, optional
        In place of the process's.

    Returns
    -------
    int
        The exit code: 1 if a run failed or there is nothing to report, 2 if a study cannot be run, 130 if
        it was ended with Ctrl-C or SIGTERM.
    """
    options = _options(home, studies, arguments)
    for ending in (signal.SIGINT, signal.SIGTERM):  # both as Ctrl-C, which a shell's background job ignores
        signal.signal(ending, signal.default_int_handler)
    try:
        todo, patient = [] if options.report_only else options.studies, not options.quick
        failed = sum(run(study, _runs(options, study), patient=patient) for study in todo)
    except KeyboardInterrupt:
        print("\nended; the same command goes on from here", file=sys.stderr)
        return 130
    except StudyError as error:
        print(error, file=sys.stderr)
        return 2
    trials = [trial for study in studies(False) for trial in load(_runs(options, study))]
    if not trials:
        print(f"{options.folder / 'runs'} holds no completed run", file=sys.stderr)
        return 1
    write_csv(options.folder / "results.csv", trials)
    write_environment(options.folder / "environment.json", trials)
    report(trials, options.folder)
    return 1 if failed else 0


def _runs(options: Options, study: Study) -> Path:
    return options.folder / "runs" / study.name


def _options(
    home: Path, studies: Callable[[bool], Sequence[Study]], arguments: Sequence[str] | None
) -> Options:
    names = [study.name for study in studies(False)]
    parser = argparse.ArgumentParser(description=f"The study {home.name}; its README.md says what it asks.")
    parser.add_argument("--quick", action="store_true", help="a minute or two on little data: does it work?")
    parser.add_argument("--folder", type=Path, help=f"of runs and report; with --quick ./{home.name}-quick")
    parser.add_argument("--trials", type=int, help="of each arm, in place of the study's own number")
    parser.add_argument("--only", nargs="+", choices=names, help="parts to run; the report is of all")
    parser.add_argument("--with", nargs="+", default=[], metavar="KEY=VALUE", dest="overrides", help=WITH)
    parser.add_argument("--report-only", action="store_true", help="run nothing, report on what is there")
    given = parser.parse_args(arguments)
    if given.trials is not None and given.trials < 1:
        parser.error(f"--trials {given.trials}: give at least 1")
    chosen = [study for study in studies(given.quick) if given.only is None or study.name in given.only]
    chosen = [replace(study, overrides=(*study.overrides, *given.overrides)) for study in chosen]
    if given.trials is not None:
        chosen = [replace(study, trials=given.trials) for study in chosen]
    folder = given.folder or (Path(f"{home.name}-quick") if given.quick else home)
    return Options(folder.absolute(), chosen, given.report_only, given.quick)
