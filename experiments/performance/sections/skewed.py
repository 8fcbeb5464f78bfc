"""Partitions whose sizes differ a hundredfold: a round against the best possible schedule."""

from collections.abc import Iterator

import fedlocal
from experiments.performance.sections.speed_up import WORKLOAD
from experiments.rows import Row, row_of
from experiments.runner import Options
from fedlocal.results import Round

ACTORS, WORKERS, SKEW = 16, 2, 100


def measure(options: Options) -> Iterator[Row]:
    """Yield the makespan against the greater of total work / workers and the longest handling."""
    rounds = 4 if options.quick else 12
    sizes = [round(1000 * SKEW ** (actor / (ACTORS - 1))) for actor in range(ACTORS)]
    outcome = fedlocal.run(
        fedlocal.compose(
            *WORKLOAD,
            "partition=sizes",
            f"partition.proportions={sizes}",
            f"actors={ACTORS}",
            f"workers={WORKERS}",
            f"rounds={rounds}",
            f"evaluate_every={rounds}",
            "baseline=false",
        )
    )
    turns = [_over_bound(round_) for round_ in outcome.histories["federated"].rounds[2:]]
    setting = f"{ACTORS} actors, largest / smallest = {SKEW}, {WORKERS} workers"
    yield row_of("skewed", setting, "makespan / bound", turns, "x", at_most=1.05)


def _over_bound(round_: Round) -> float:
    handled = [actor["seconds"] for actor in round_.actors.values()]
    return round_.seconds["training"] / max(sum(handled) / WORKERS, max(handled))
