"""The tables of the study of partitions, in Markdown; empty where a part has no trials."""

from collections.abc import Sequence

from experiments.intervals import mean
from experiments.outcomes import Trial, values
from experiments.partitions.arms import CHOSEN, IID, RATES, TUNED_ON, Division, name
from experiments.partitions.measures import MARGIN, costs_nothing, idle, loss
from experiments.reports import as_table, in_words

LOSSES = f"""\
Points of accuracy that each strategy loses against itself on IID data, trial by trial, with 95 % intervals;
and whether two one-sided t tests show at the level of 5 % that FedAvg loses or gains less than {MARGIN:g}:"""


def accuracies(trials: Sequence[Trial], divisions: Sequence[Division], strategies: Sequence[str]) -> str:
    """Return the accuracies in percent."""
    if not trials:
        return ""
    header = ["division", *strategies]
    rows = [
        (
            division.name,
            *(in_words(mean(_percents(trials, name(strategy, division))), 1) for strategy in strategies),
        )
        for division in divisions
        if values(trials, name("fedavg", division), "accuracy")
    ]
    return f"Accuracy of the final model in percent, with 95 % intervals:\n\n{as_table(header, rows)}"


def losses(trials: Sequence[Trial], divisions: Sequence[Division], strategies: Sequence[str]) -> str:
    """Return what each division costs each strategy, and whether it costs fedavg nothing."""
    if not trials:
        return ""
    header = ["division", *strategies, f"fedavg, within {MARGIN:g}"]
    rows = [
        (
            division.name,
            *(in_words(loss(trials, strategy, division, below=strategy), 1) for strategy in strategies),
            costs_nothing(trials, division).verdict,
        )
        for division in divisions
        if division != IID and values(trials, name("fedavg", division), "accuracy")
    ]
    return f"{LOSSES}\n\n{as_table(header, rows)}"


def rates(trials: Sequence[Trial]) -> str:
    """Return the grid on which the strategies' rates were chosen."""
    if not trials:
        return ""
    rows = []
    for strategy, (option, tried) in RATES.items():
        for value in tried:
            arms = [name(strategy, division, value) for division in TUNED_ON]
            chosen = "chosen" if CHOSEN[strategy] == value else ""
            cells = [f"{mean(_percents(trials, arm)).estimate:.1f}" for arm in arms]
            rows.append((f"{strategy}, {option.removeprefix('strategy.')}={value}", *cells, chosen))
    header = ["strategy", *(division.name for division in TUNED_ON), ""]
    return f"The grid of rates, accuracy in percent (mean of two trials):\n\n{as_table(header, rows)}"


def idle_shares(trials: Sequence[Trial], divisions: Sequence[Division]) -> str:
    """Return the idle shares in percent."""
    if not trials:
        return ""
    rows = [
        (
            division.name,
            f"{idleness.largest:.0f}",
            in_words(idleness.measured, 0),
            f"{idleness.least:.0f}",
            in_words(idleness.apart, 0),
        )
        for division in divisions
        if (idleness := idle(trials, division))
    ]
    header = [
        "division",
        "rows of the largest",
        "idle, 2 workers",
        "if time went by rows",
        "idle, a core each",
    ]
    return f"Idle time within rounds in percent, with 95 % intervals:\n\n{as_table(header, rows)}"


def _percents(trials: Sequence[Trial], arm: str) -> list[float]:
    return [100 * value for value in values(trials, arm, "accuracy").values()]
