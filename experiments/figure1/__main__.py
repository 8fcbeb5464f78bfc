"""Reproduce Figure 1 of Bartsch & Du Bois: training time, speed-up and accuracy against the number of actors.

``python -m experiments.figure1`` runs what is missing and writes ``results.csv``, ``results.md``,
``environment.json`` and the figures beside this file. README.md has the question, the method and the answer.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.command import main
from experiments.figure1.arms import ACTORS, ALL_CORES, judged, points
from experiments.figure1.figures import accuracies, box_plot, speed_ups
from experiments.figure1.tables import as_markdown
from experiments.outcomes import Trial
from experiments.points import with_partners
from experiments.trials import Study

TIMED = ("rounds=2", "evaluate_every=2", "checkpoint_every=null")
QUICK = ("dataset=digits", "rounds=2")


def studies(quick: bool) -> list[Study]:
    """Return the trials of time, few epochs and many trials, and those of accuracy, the other way round."""
    actors, options = (ACTORS[:3], QUICK) if quick else (ACTORS, ())
    return [
        Study("timing", "figure1", (*with_partners(points(actors)), ALL_CORES), 30, (*TIMED, *options)),
        Study("accuracy", "figure1", with_partners(judged(actors)), 5, options, timed=False),
    ]


def report(trials: Sequence[Trial], folder: Path) -> None:
    """Write the tables and draw the figures."""
    timing = [trial for trial in trials if trial.study == "timing"]
    accuracy = [trial for trial in trials if trial.study == "accuracy"]
    (folder / "results.md").write_text(as_markdown(timing, accuracy), encoding="utf-8")
    if timing:
        box_plot(timing, folder / "training_time.png")
        speed_ups(timing, folder / "speed_up.png")
    if accuracy:
        accuracies(accuracy, folder / "accuracy.png")


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent, studies, report))
