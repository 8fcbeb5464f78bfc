"""Measure what malicious actors do to the model, and which strategies withstand them.

``python -m experiments.attacks`` runs what is missing and writes ``results.csv``, ``results.md``,
``environment.json`` and the figure beside this file. README.md has the question, the method and the answer.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.attacks.arms import PARTS, comparing
from experiments.attacks.figures import draw_accuracies
from experiments.attacks.tables import accuracies
from experiments.command import main
from experiments.outcomes import Trial
from experiments.trials import Study

PRESET = "attacks"
INLINE = ("backend=inline",)  # accuracy is the same wherever clients run
FEW = ("rounds=3",)


def studies(quick: bool) -> list[Study]:
    """Return the parts: two malicious actors among equal ones, among ones that differ, and four of them."""
    if quick:
        few = comparing(PARTS[0], ("fedavg", "norm_clipping", "fedmedian"))
        return [Study("iid", PRESET, few, 2, (*INLINE, *PARTS[0].overrides, *FEW), timed=False)]
    return [
        Study(part.name, PRESET, comparing(part), 3, (*INLINE, *part.overrides), timed=False)
        for part in PARTS
    ]


def report(trials: Sequence[Trial], folder: Path) -> None:
    """Write the tables and draw the figure of the parts that have trials."""
    parts = {part.title: [trial for trial in trials if trial.study == part.name] for part in PARTS}
    tables = [accuracies(of_part, title) for title, of_part in parts.items()]
    (folder / "results.md").write_text("\n".join(filter(None, tables)), encoding="utf-8")
    draw_accuracies(parts, folder / "accuracy.png")


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent, studies, report))
