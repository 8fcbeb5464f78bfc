"""Measure how soon each way to train reaches an accuracy, in seconds and in passes over the data."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.outcomes import Trial
from experiments.runner import main
from experiments.time_to_accuracy.arms import METHODS, timed, tuned
from experiments.time_to_accuracy.figures import accuracies, times_to_targets
from experiments.time_to_accuracy.reaching import courses
from experiments.time_to_accuracy.tables import as_markdown
from experiments.trials import Comparison, study

QUICK = ("dataset=digits", "model=mlp")


def parts(quick: bool) -> list[Comparison]:
    """Return the trials that choose the learning rates, and those that count."""
    if quick:
        return [Comparison("timing", "time_to_accuracy", timed(8), 2, QUICK)]
    return [
        Comparison("tuning", "time_to_accuracy", tuned(), 1, timed=False),
        Comparison("timing", "time_to_accuracy", timed(), 5),
    ]


def report(trials: Sequence[Trial], folder: Path) -> str:
    """Write the tables and draw the figures."""
    tuning, timing = ([trial for trial in trials if trial.study == name] for name in ("tuning", "timing"))
    by_method = {method: runs for method in METHODS if (runs := courses(timing, method))}
    text = as_markdown(by_method, tuning)
    if by_method:
        accuracies(by_method, folder / "accuracy.png")
        times_to_targets(by_method, folder / "targets.png")
    return text


STUDY = study(__file__, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
