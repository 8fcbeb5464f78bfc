"""Measure what malicious actors do to the model, and which strategies withstand them."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.attacks.arms import PARTS, comparing
from experiments.attacks.figures import draw_accuracies
from experiments.attacks.tables import accuracies
from experiments.outcomes import Trial
from experiments.runner import main
from experiments.trials import Comparison, study

PRESET = "attacks"
INLINE = ("backend=inline",)  # accuracy is the same wherever clients run
FEW = ("rounds=3",)


def parts(quick: bool) -> list[Comparison]:
    """Return the parts: two malicious actors among equal ones, among ones that differ, and four of them."""
    if quick:
        few = comparing(PARTS[0], ("fedavg", "norm_clipping", "fedmedian"))
        return [Comparison("iid", PRESET, few, 2, (*INLINE, *PARTS[0].overrides, *FEW), timed=False)]
    return [
        Comparison(part.name, PRESET, comparing(part), 3, (*INLINE, *part.overrides), timed=False)
        for part in PARTS
    ]


def report(trials: Sequence[Trial], folder: Path) -> str:
    """Write the tables and draw the figure of the parts that have trials."""
    parts = {part.title: [trial for trial in trials if trial.study == part.name] for part in PARTS}
    tables = [accuracies(of_part, title) for title, of_part in parts.items()]
    text = "\n".join(filter(None, tables))
    draw_accuracies(parts, folder / "accuracy.png")
    return text


STUDY = study(__file__, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
