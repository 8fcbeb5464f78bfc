"""Names of metrics with their phase, so that no two phases ever share a column or a series.

A number of the global model on the test set has its plain name, such as ``accuracy``. What actors report in
training begins with ``train-`` (``train-loss``), what they report in an evaluation on their own rows with
``client-`` (``client-accuracy``), and what they answer to a query with ``query-``.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Literal, get_args

Phase = Literal["train", "client", "query"]
"""What actors are asked for; ``client`` is the evaluation on their own rows."""

PHASES: tuple[Phase, ...] = get_args(Phase)
COLUMN: Mapping[str, str] = {"train": "train", "client": "evaluate-clients", "query": "query"}
ORDER = ("evaluate", "evaluate-clients", "train", "query")
SEEN = 1024  # names that are remembered: all actors of all rounds report the same few
AVAILABLE = "available"
"""The metric of rounds in which actors could be away: how many were there."""

OF_CLIENTS = re.compile(r"(train|client|query)[-_]")
TAKEN = re.compile(rf"(test-)*({OF_CLIENTS.pattern}|{AVAILABLE}$)")


def of_phase(phase: Phase, reported: Mapping[str, float]) -> dict[str, float]:
    """Return what actors reported in a phase, with the phase's name before each metric's unless it is there.

    Examples
    --------
    >>> of_phase("client", {"accuracy": 0.9, "eval_acc": 0.9, "client-f1": 0.8})
    {'client-accuracy': 0.9, 'client-eval_acc': 0.9, 'client-f1': 0.8}
    >>> of_phase("train", {"loss": 1.0, "train-loss": 2.0})  # one app has both: they stay apart
    {'train-loss': 1.0, 'train-train-loss': 2.0}
    """
    return dict(zip(_named(phase, tuple(reported)), reported.values(), strict=True))


@lru_cache(SEEN)
def _named(phase: Phase, names: tuple[str, ...]) -> list[str]:
    prefixed = {f"{phase}-{name}" for name in names}
    stay = {name for name in names if name.startswith((f"{phase}-", f"{phase}_")) and name not in prefixed}
    return [name if name in stay else f"{phase}-{name}" for name in names]


def of_actor(phase: Phase, reported: Mapping[str, float]) -> dict[str, float]:
    """Return what one actor reported as `of_phase` does; its trained rows stay ``num-examples``."""
    named = of_phase(phase, reported)
    if phase == "train" and "num-examples" in reported:
        named["num-examples"] = named.pop("train-num-examples")
    return named


def of_model(evaluated: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of a central evaluation; a name that looks like an actor's gets ``test-``.

    Examples
    --------
    >>> of_model({"accuracy": 0.9, "train-loss": 0.5})
    {'accuracy': 0.9, 'test-train-loss': 0.5}
    """
    return {f"test-{name}" if TAKEN.match(name) else name: value for name, value in evaluated.items()}


def shown(names: Collection[str]) -> list[str]:
    """Return which metrics to show: accuracy and loss on the test set, or else all that was reported.

    All are those of the server's evaluation, then of the clients', then of their training.

    Examples
    --------
    >>> shown({"loss", "train-loss"}), shown({"train-loss", "client-loss", "available"})
    (['loss'], ['client-loss', 'train-loss'])
    """
    return [name for name in ("accuracy", "loss") if name in names] or sorted(
        {*names} - {AVAILABLE}, key=order
    )


def order(metric: str) -> tuple[int, str]:
    """Sort metrics: what was evaluated centrally, then on clients, then in training, by name."""
    return ORDER.index(phase_of(metric)), metric


@lru_cache(SEEN)
def phase_of(metric: str) -> str:
    """Return the phase of a name made here, as ``metrics.csv`` has it in its column.

    Examples
    --------
    >>> [phase_of(name) for name in ("train-loss", "client-loss", "loss", "test-train-loss", "available")]
    ['train', 'evaluate-clients', 'evaluate', 'evaluate', 'train']
    """
    if metric == AVAILABLE:
        return "train"
    match = OF_CLIENTS.match(metric)
    return COLUMN[match[1]] if match else "evaluate"
