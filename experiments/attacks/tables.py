"""The tables of the study of attacks, in Markdown."""

from collections.abc import Sequence

import numpy as np

from experiments.attacks.arms import ATTACKS, ROBUST, STRATEGIES, name
from experiments.intervals import Interval
from experiments.outcomes import Trial, values
from experiments.reports import as_table, in_words


def accuracies(trials: Sequence[Trial], title: str) -> str:
    """Return the accuracies of all strategies under all attacks; empty where there are no trials."""
    if not trials:
        return ""
    arms = {trial.arm for trial in trials}
    rows = [
        (
            f"**{strategy}**" if strategy in ROBUST else strategy,
            *(_cell(trials, strategy, attack) for attack in ATTACKS),
        )
        for strategy in STRATEGIES
        if any(arm.startswith(f"{strategy}_") for arm in arms)
    ]
    count = max(len(values(trials, arm, "accuracy")) for arm in arms)
    return (
        f"{title}: accuracy of the final model in percent: median of {count} trials (lowest to "
        f"highest); strategies made for malicious actors in bold:\n\n{as_table(['strategy', *ATTACKS], rows)}"
    )


def _cell(trials: Sequence[Trial], strategy: str, attack: str) -> str:
    return in_words(accuracy(trials, strategy, attack), 0)


def accuracy(trials: Sequence[Trial], strategy: str, attack: str) -> Interval:
    """Return the median of the trials' accuracies in percent, and the lowest and the highest of them.

    Under an attack that a strategy withstands in one trial and not in another, a mean would be of neither.
    """
    percents = [100 * value for value in values(trials, name(strategy, attack), "accuracy").values()]
    if not percents:
        return Interval(np.nan, np.nan, np.nan, 0)
    return Interval(float(np.median(percents)), min(percents), max(percents), len(percents))
