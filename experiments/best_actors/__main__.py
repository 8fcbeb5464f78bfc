"""Judge ``actors=auto``: what it chooses, beside a sweep over all numbers that it can choose from."""

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.best_actors.figures import sweeps
from experiments.best_actors.settings import SETTINGS, Setting
from experiments.best_actors.sweeps import as_markdown, sweep_of
from experiments.outcomes import Trial
from experiments.runner import main
from experiments.trials import Arm, Comparison, study

TRIALS = 10
QUICK = ("rounds=3", "evaluate_every=3")


def parts(quick: bool) -> list[Comparison]:
    """Return a study for each setting: an arm for each number of actors, and one that chooses."""
    return [
        Comparison(
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


def report(trials: Sequence[Trial], folder: Path) -> str:
    """Write the table and draw the figure."""
    sweeps_so_far = [
        (setting, sweep_of([trial for trial in trials if trial.study == setting.name]))
        for setting in SETTINGS
    ]
    results = [(setting, sweep) for setting, sweep in sweeps_so_far if sweep]
    text = as_markdown(results)
    sweeps(results, folder / "sweeps.png")
    return text


STUDY = study(__file__, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
