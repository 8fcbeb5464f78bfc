"""Measure a training step against its matrix products, and behind PyTorch and Keras."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.rows import Row, Section, as_markdown
from experiments.runner import Study, main


def parts(_: bool) -> list[Section]:
    """Return the sections."""
    names = ("products", "frameworks")
    return [Section(name, f"experiments.training_step.{name}") for name in names]


def report(rows: Sequence[Row], _: Path) -> str:
    """Return the table."""
    return as_markdown(rows)


STUDY = Study(Path(__file__).parent, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
