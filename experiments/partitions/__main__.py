"""Measure what each way to divide the data costs: in accuracy, for several strategies, and in idle time.

``python -m experiments.partitions`` runs what is missing and writes ``results.csv``, ``results.md``,
``environment.json`` and the figures beside this file. README.md has the question, the method and the answer.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.command import main
from experiments.outcomes import Trial
from experiments.partitions.arms import DIVISIONS, STRATEGIES, TIMED, comparing, timing, tuning
from experiments.partitions.figures import draw_idle, draw_losses
from experiments.partitions.tables import accuracies, idle_shares, losses, rates
from experiments.trials import Study

PRESET = "partitions"
INLINE = ("backend=inline",)  # accuracy is the same wherever clients run
LARGER = ("workers=2", "dataset.train=12000", "model.hidden=[256]", "rounds=6", "evaluate_every=6")
FEW = ("dataset=digits", "~dataset.train", "rounds=2")


def studies(quick: bool) -> list[Study]:
    """Return the three parts: the grid of rates, the comparison, and the timing of size skew."""
    if quick:
        few = tuple(arm for arm in comparing() if arm.name.endswith(("_iid", "_dirichlet-0.1")))
        return [
            Study("accuracy", PRESET, few, 2, (*INLINE, *FEW), timed=False),
            Study("idle", PRESET, timing()[:2], 2, ("workers=2", *FEW)),
        ]
    return [
        Study("rates", PRESET, tuning(), 2, INLINE, timed=False),
        Study("accuracy", PRESET, comparing(), 3, INLINE, timed=False),
        Study("idle", PRESET, timing(), 5, LARGER),
    ]


def report(trials: Sequence[Trial], folder: Path) -> None:
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
    (folder / "results.md").write_text("\n".join(filter(None, tables)), encoding="utf-8")
    if parts["accuracy"]:
        draw_losses(parts["accuracy"], DIVISIONS, STRATEGIES, folder / "accuracy.png")
    if parts["idle"]:
        draw_idle(parts["idle"], TIMED, folder / "idle.png")


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent, studies, report))
