"""Measure how soon each way to train reaches an accuracy, in seconds and in passes over the data.

``python -m experiments.time_to_accuracy`` runs what is missing and writes ``results.csv``,
``results.md``, ``environment.json`` and the figures beside this file. README.md has the question, the method
and the answer.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.command import main
from experiments.outcomes import Trial
from experiments.time_to_accuracy.arms import METHODS, timed, tuned
from experiments.time_to_accuracy.figures import accuracies, times_to_targets
from experiments.time_to_accuracy.reaching import courses
from experiments.time_to_accuracy.tables import as_markdown
from experiments.trials import Study

QUICK = ("dataset=digits", "model=mlp")


def studies(quick: bool) -> list[Study]:
    """Return the trials that choose the learning rates, and those that count."""
    if quick:
        return [Study("timing", "time_to_accuracy", timed(8), 2, QUICK)]
    return [
        Study("tuning", "time_to_accuracy", tuned(), 1, timed=False),
        Study("timing", "time_to_accuracy", timed(), 5),
    ]


def report(trials: Sequence[Trial], folder: Path) -> None:
    """Write the tables and draw the figures."""
    tuning, timing = ([trial for trial in trials if trial.study == name] for name in ("tuning", "timing"))
    by_method = {method: runs for method in METHODS if (runs := courses(timing, method))}
    (folder / "results.md").write_text(as_markdown(by_method, tuning), encoding="utf-8")
    if by_method:
        accuracies(by_method, folder / "accuracy.png")
        times_to_targets(by_method, folder / "targets.png")


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent, studies, report))
