"""``fedlocal report FOLDER…``: builds one page over runs."""

import logging
from dataclasses import dataclass
from pathlib import Path

from fedlocal.cli.options import UsageError, Verb, option


@dataclass(frozen=True)
class ReportOptions:
    """Build one page over runs: what they were asked for, what they gave, and how they compare.

    Runs that failed, were interrupted or still go on are shown as far as they got.

    exit codes: 0 the report is written; 1 it is not; 130 after Ctrl-C
    """

    folders: tuple[Path, ...] = option(
        "a run's folder, a sweep's, or one that holds several of these, such as outputs",
        "FOLDER…",
        positional=True,
    )
    out: Path | None = option(
        "an existing folder for report.html, comparison.csv and comparison.md; without it the FOLDER that is "
        "given, or the current folder if there are several",
        default=None,
    )


def _report(options: ReportOptions) -> int:
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    if options.out and not options.out.is_dir():
        raise UsageError(f"out={options.out}: there is no such folder; create it first")
    from fedlocal.report.report_files import write_report

    page = write_report(
        options.folders, options.out or (options.folders[0] if len(options.folders) == 1 else Path())
    )
    print(page.resolve())
    return 0


main = Verb("report", ReportOptions, _report)
