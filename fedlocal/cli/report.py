"""``fedlocal report FOLDER…``: builds one page over runs."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fedlocal.results.atomic_files import ResultsError

HELP = """\
usage: fedlocal report FOLDER… [out=FOLDER]

Build one page over runs: what they were asked for, what they gave, and how they compare.

  FOLDER…   a run's folder, a sweep's, or one that holds several of these, such as outputs
  out=…     an existing folder for report.html, comparison.csv and comparison.md; without it the FOLDER that
            is given, or the current folder if there are several

Runs that failed, were interrupted or still go on are shown as far as they got.

exit codes: 0 the report is written; 1 it is not; 130 after Ctrl-C"""


@dataclass(frozen=True)
class ReportRequest:
    """What the command line asks for."""

    folders: tuple[Path, ...]
    output: Path


def main(arguments: Sequence[str]) -> int:
    """Write a report; return the exit code."""
    if {"-h", "--help"} & set(arguments):
        print(HELP)
        return 0
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        request = request_of(arguments)
        from fedlocal.report.report_files import write_report

        page = write_report(request.folders, request.output)
    except ResultsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(page.resolve())
    return 0


def request_of(arguments: Sequence[str]) -> ReportRequest:
    """Read the command line.

    Raises
    ------
    ResultsError
        If no folder is named, a word is not known, or the place for the report is not a folder.
    """
    outs = [argument.removeprefix("out=") for argument in arguments if argument.startswith("out=")]
    names = [argument for argument in arguments if not argument.startswith("out=")]
    unknown = [
        argument
        for argument in names
        if argument.startswith("-") or ("=" in argument and not Path(argument).exists())
    ]
    if unknown:
        raise ResultsError(f"{unknown[0]}: expected FOLDER… and out=FOLDER; fedlocal report --help")
    if len(outs) > 1 or "" in outs:
        raise ResultsError(f"{' '.join(f'out={out}' for out in outs)}: expected one out=FOLDER")
    if not names:
        raise ResultsError("which runs? expected: fedlocal report FOLDER…; fedlocal report --help")
    folders = tuple(Path(name).expanduser() for name in names)
    output = Path(outs[0]).expanduser() if outs else folders[0] if len(folders) == 1 else Path()
    if outs and not output.is_dir():
        raise ResultsError(f"out={output}: there is no such folder; create it first")
    return ReportRequest(folders, output)
