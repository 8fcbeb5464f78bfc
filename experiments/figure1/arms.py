"""What the study compares, and what the paper measured."""

import re
from collections.abc import Callable, Iterable, Sequence

from experiments.outcomes import Trial
from experiments.points import Point
from experiments.trials import Arm

BATCH, FIXED = 128, 256  # rows of an actor's batch, and of an update where that is the same for all
ACTORS = (1, 2, 4, 8, 16, 32)
PAPER = {1: 1.0, 2: 1.69, 4: 2.35, 8: 2.01, 16: 1.42, 32: 0.82}
"""Mean speed-ups of Bartsch & Du Bois (ERAD/RS 2023) on four AMD Opteron 6367."""

CURVES: dict[str, Callable[[int], Point]] = {
    "federated": lambda actors: Point("federated", actors, BATCH),
    f"batch_parallel, {BATCH} rows an actor": lambda actors: Point("batch_parallel", actors, BATCH),
    f"batch_parallel, {FIXED} rows an update": lambda actors: Point(
        "batch_parallel", actors, FIXED // actors
    ),
    "batch_parallel, copied messages": lambda actors: Point("messages", actors, BATCH),
}


ALL_CORES = Arm("baselines", ("scheme=sequential", "baseline=true", f"batch_size={BATCH}"), group=str(BATCH))
"""A run beside whose rounds its baselines make theirs: with one BLAS thread, and with one for each core."""


def all_cores(trials: Iterable[Trial]) -> str | None:
    """Return the name of the sequential arm on all cores; None where there is but one."""
    named = (re.fullmatch(rf"{ALL_CORES.name}, sequential, (\d+) threads", trial.arm) for trial in trials)
    return next((match[0] for match in named if match), None)


def points(actors: Sequence[int]) -> list[Point]:
    """Return what is timed: one actor makes no wave, and so has no messages to copy."""
    several = [count for count in actors if count > 1]
    curves = [point(count) for point in CURVES.values() for count in actors]
    accumulated = [Point("accumulate", count, BATCH) for count in several]
    return [*(point for point in curves if (point.scheme, point.actors) != ("messages", 1)), *accumulated]


def judged(actors: Sequence[int]) -> list[Point]:
    """Return those whose accuracy is judged: the others end as one of them does, up to rounding at most."""
    schemes = ("federated", "batch_parallel")
    return [point for point in points(actors) if point.scheme in schemes and point.batch == BATCH]
