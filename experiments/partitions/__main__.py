"""Measure what each way to divide the data costs: in accuracy, for several strategies, and in idle time."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.outcomes import Trial
from experiments.partitions.arms import DIVISIONS, STRATEGIES, TIMED, comparing, timing, tuning
from experiments.partitions.figures import draw_idle, draw_losses
from experiments.partitions.tables import accuracies, idle_shares, losses, rates
from experiments.runner import main
from experiments.trials import Comparison, study

PRESET = "partitions"
INLINE = ("backend=inline",)  # accuracy is the same wherever clients run
LARGER = ("workers=2", "dataset.train=12000", "model.hidden=[256]", "rounds=6", "evaluate_every=6")
FEW = ("dataset=digits", "~dataset.train", "rounds=2")


def parts(quick: bool) -> list[Comparison]:
    """Return the three parts: the grid of rates, the comparison, and the timing of size skew."""
    if quick:
        few = tuple(arm for arm in comparing() if arm.name.endswith(("_iid", "_dirichlet-0.1")))
        return [
            Comparison("accuracy", PRESET, few, 2, (*INLINE, *FEW), timed=False),
            Comparison("idle", PRESET, timing()[:2], 2, ("workers=2", *FEW)),
        ]
    return [
        Comparison("rates", PRESET, tuning(), 2, INLINE, timed=False),
        Comparison("accuracy", PRESET, comparing(), 3, INLINE, timed=False),
        Comparison("idle", PRESET, timing(), 5, LARGER),
    ]


def report(trials: Sequence[Trial], folder: Path) -> str:
    """Write the tables and draw the figures of the parts that have trials."""
    parts = {
        name: [trial for trial in trials if trial.study == name] for name in ("rates", "accuracy", "idle")
    }
    tables = [
        accuracies(parts["accuracy"], DIVISIONS, STRATEGIES),
        losses(parts["accuracy"], DIVISIONS, STRATEGIES),
        rates(parts["rates"]),
        idle_shares(parts["idle"], TIMED),
    ]
    text = "\n".join(filter(None, tables))
    if parts["accuracy"]:
        draw_losses(parts["accuracy"], DIVISIONS, STRATEGIES, folder / "accuracy.png")
    if parts["idle"]:
        draw_idle(parts["idle"], TIMED, folder / "idle.png")
    return text


STUDY = study(__file__, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
