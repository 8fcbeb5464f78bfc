"""Judge ``actors=auto``: what it chooses, beside a sweep over all numbers of actors that it can choose from.

``python -m experiments.best_actors`` runs what is missing and writes ``results.csv``, ``results.md``,
``environment.json`` and the figure beside this file. README.md has the question, the method and the answer.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.best_actors.figures import sweeps
from experiments.best_actors.settings import SETTINGS, Setting
from experiments.best_actors.sweeps import as_markdown, sweep_of
from experiments.command import main
from experiments.outcomes import Trial
from experiments.trials import Arm, Study

TRIALS = 10
QUICK = ("rounds=3", "evaluate_every=3")


def studies(quick: bool) -> list[Study]:
    """Return a study for each setting: an arm for each number of actors, and one that chooses."""
    return [
        Study(
            setting.name,
            "best_actors",
            (*(Arm(str(actors), (f"actors={actors}",)) for actors in numbers(setting, quick)), AUTO),
            1 if quick else TRIALS,
            (*setting.overrides, *((*setting.smaller, *QUICK) if quick else ())),
        )
        for setting in SETTINGS
    ]


def numbers(setting: Setting, quick: bool) -> Sequence[int]:
    """Return the numbers of actors to sweep over."""
    return [actors for actors in setting.numbers if actors in (1, 2, 8, 32)] if quick else setting.numbers


AUTO = Arm("auto", ("actors=auto",))


def report(trials: Sequence[Trial], folder: Path) -> None:
    """Write the table and draw the figure."""
    sweeps_so_far = [
        (setting, sweep_of([trial for trial in trials if trial.study == setting.name]))
        for setting in SETTINGS
    ]
    results = [(setting, sweep) for setting, sweep in sweeps_so_far if sweep]
    (folder / "results.md").write_text(as_markdown(results), encoding="utf-8")
    sweeps(results, folder / "sweeps.png")


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent, studies, report))
