"""Measure when a pipeline of actors pays, beside the sequential scheme and the batch queue."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.intervals import Interval
from experiments.outcomes import Trial, speed_up
from experiments.reports import speed_up_figure, speed_up_table
from experiments.runner import main
from experiments.trials import Arm, Comparison, study

ROWS, WAVE = (32, 128, 512), 8  # rows of a micro-batch, and how many make an update
SEQUENTIAL = ("scheme=sequential",)
PARTNERS = {
    "plain": "one process that makes a plain step of as many rows",
    "sequential": "one process that sums the same gradients, to the same bits",
}
KINDS = {
    "batch queue, 2 actors": ("batch_parallel", ("scheme=batch_parallel", "actors=2")),
    "loader + both passes": ("whole", ("scheme=pipeline", "scheme.stages=0", "actors=2")),
    "loader + forward + backward": ("passes", ("scheme=pipeline",)),
    "2 loaders + forward + backward": ("loaders", ("scheme=pipeline", "actors=4")),
    "loader + 2 stages": ("stages", ("scheme=pipeline", "scheme.stages=2", "actors=5", "scheme.credits=6")),
}
QUICK = ("dataset=digits",)


def parts(quick: bool) -> list[Comparison]:
    """Return the one study: each kind and its partners at each number of rows, 8 of which make an update."""
    sizes, options, trials = (ROWS[:2], QUICK, 2) if quick else (ROWS, (), 10)
    kinds = {"sequential": SEQUENTIAL} | dict(KINDS.values())
    arms = [
        Arm(f"{kind}-{rows}", (*overrides, f"batch_size={rows}", f"accumulate={WAVE}"), group=str(rows))
        for rows in sizes
        for kind, overrides in kinds.items()
    ]
    arms += [
        Arm(f"plain-{rows}", (*SEQUENTIAL, f"batch_size={WAVE * rows}", "accumulate=1"), group=str(rows))
        for rows in sizes
    ]
    return [Comparison("timing", "pipeline", tuple(arms), trials, options)]


def report(trials: Sequence[Trial], folder: Path) -> str:
    """Draw the figure and keep the timeline of one run; return the tables."""
    made = {trial.arm.partition("-")[0] for trial in trials}
    partners = [partner for partner in PARTNERS if partner in made]
    lines = {partner: _lines(trials, partner) for partner in partners}
    label, title = "rows of a micro-batch (8 make an update)", f"Speed-up over {PARTNERS[partners[0]]}"
    speed_up_figure(folder / "pipeline.png", ROWS, lines[partners[0]], label, title)
    for trial in trials:
        if trial.arm == "passes-128" and (trial.folder / "timeline.png").exists():
            shutil.copy(trial.folder / "timeline.png", folder / "timeline.png")
            break
    return "\n".join(
        f"## Over {PARTNERS[partner]}\n\n{speed_up_table('rows of a micro-batch', ROWS, of_partner)}"
        for partner, of_partner in lines.items()
    )


def _lines(trials: Sequence[Trial], partner: str) -> dict[str, list[Interval]]:
    """Return the speed-up of each kind over a partner, at each number of rows."""
    return {
        label: [speed_up(trials, f"{kind}-{rows}", f"{partner}-{rows}") for rows in ROWS]
        for label, (kind, _) in KINDS.items()
    }


STUDY = study(__file__, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
