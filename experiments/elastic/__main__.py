"""Measure where workers that follow the load gain: where clients wait, and beside another busy process."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.reports import as_table
from experiments.rows import Row, Section
from experiments.runner import Study, main


def parts(_: bool) -> list[Section]:
    """Return the two loads."""
    return [Section(name, f"experiments.elastic.{name}") for name in ("waiting", "neighbour")]


def report(rows: Sequence[Row], _: Path) -> str:
    """Return the table of ratios with their intervals."""
    cells = [
        (row.setting, row.measure, f"{row.value:.2f} ({row.low:.2f} to {row.high:.2f})", row.note)
        for row in rows
    ]
    return as_table(["load", "ratio", "mean (95 % interval)", "trials"], cells, names=2)


STUDY = Study(Path(__file__).parent, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
