"""Measure how many rows a second a saved model answers for: one process against a pool of workers."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.rows import Row, Section, as_markdown
from experiments.runner import Study, main


def parts(_: bool) -> list[Section]:
    """Return the one section."""
    return [Section("pool", "experiments.inference.pool")]


def report(rows: Sequence[Row], _: Path) -> str:
    """Return the table."""
    return as_markdown(rows)


STUDY = Study(Path(__file__).parent, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
