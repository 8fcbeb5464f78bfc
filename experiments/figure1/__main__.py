"""Reproduce Figure 1 of Bartsch & Du Bois: time, speed-up and accuracy against the number of actors."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.figure1.arms import ACTORS, ALL_CORES, judged, points
from experiments.figure1.figures import accuracies, box_plot, speed_ups
from experiments.figure1.tables import as_markdown
from experiments.outcomes import Trial
from experiments.points import with_partners
from experiments.runner import main
from experiments.trials import Comparison, study

TIMED = ("rounds=2", "evaluate_every=2", "checkpoint_every=null")
QUICK = ("dataset=digits", "rounds=2")


def parts(quick: bool) -> list[Comparison]:
    """Return the trials of time, few epochs and many trials, and those of accuracy, the other way round."""
    actors, options = (ACTORS[:3], QUICK) if quick else (ACTORS, ())
    return [
        Comparison("timing", "figure1", (*with_partners(points(actors)), ALL_CORES), 30, (*TIMED, *options)),
        Comparison("accuracy", "figure1", with_partners(judged(actors)), 5, options, timed=False),
    ]


def report(trials: Sequence[Trial], folder: Path) -> str:
    """Write the tables and draw the figures."""
    timing = [trial for trial in trials if trial.study == "timing"]
    accuracy = [trial for trial in trials if trial.study == "accuracy"]
    text = as_markdown(timing, accuracy)
    if timing:
        box_plot(timing, folder / "training_time.png")
        speed_ups(timing, folder / "speed_up.png")
    if accuracy:
        accuracies(accuracy, folder / "accuracy.png")
    return text


STUDY = study(__file__, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
