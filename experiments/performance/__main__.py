"""Measure fedlocal against the limits of the machine and against its peers; README.md has the results."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.performance.figures import draw
from experiments.rows import Row, Section, as_markdown
from experiments.runner import Study, main

SECTIONS = (
    "step",
    "step_peers",
    "overhead",
    "speed_up",
    "skewed",
    "flower_ray",
    "whole_apps",
    "pfl_research",
    "logistic",
    "tiny",
    "thousand",
    "registered",
    "mean",
    "memory",
    "startup",
)
QUICK = ("step", "overhead", "speed_up", "mean", "thousand")


def parts(_: bool) -> list[Section]:
    """Return the sections."""
    return [Section(name, f"experiments.performance.sections.{name}") for name in SECTIONS]


def report(rows: Sequence[Row], folder: Path) -> str:
    """Draw the figures; return the table."""
    draw(rows, folder)
    return as_markdown(rows)


STUDY = Study(Path(__file__).parent, parts, report, QUICK)

if __name__ == "__main__":
    sys.exit(main(STUDY))
