"""Time and memory of a round with 100 clients, where a hundred to a million are registered.

Each client has one row of 16 numbers, so that all populations compute the same: 100 steps on one row.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import numpy as np

from experiments.performance.programs import Fresh, module, serve
from experiments.performance.pss import is_known, watching
from experiments.rows import Row, missing, row_of
from experiments.runner import Options
from experiments.turns import alternate

POPULATIONS = (100, 1_000, 10_000, 100_000, 1_000_000)
SAMPLED, ROUNDS, WARM_UP = 100, 14, 3
WORKLOAD = (
    "dataset=synthetic",
    "dataset.shape=[16]",
    "dataset.test=1000",
    "model.hidden=[512,1000]",  # 531,714 parameters, 2.1 MB
    "model.learning_rate=0.001",
    f"strategy.min_train_nodes={SAMPLED}",
    f"rounds={ROUNDS}",
    f"evaluate_every={ROUNDS}",
    "workers=2",
    "baseline=false",
    "display=off",
)
MEASURE = "a round"


def measure(options: Options) -> Iterator[Row]:
    """Yield round times, then memory; each population has a process of its own, in each turn a new one."""
    populations = POPULATIONS[:3] if options.quick else POPULATIONS
    arms = [
        Fresh(_setting(population), module("sections.registered"), {"population": population})
        for population in populations
    ]
    figures = alternate(arms, 1 if options.quick else 5)
    for arm in arms:
        note = f"the whole run {np.median([answer['whole'] for answer in arm.answers]):.1f} s"
        times = [1000 * seconds for seconds in figures[arm.name]]
        yield row_of("registered", arm.name, MEASURE, times, "ms", note=note)
    few, many = (figures[arms[index].name] for index in (0, -1))
    beyond = [1000 * (longer - shorter) for longer, shorter in zip(many, few, strict=True)]
    measured = f"a round, beyond that of {populations[0]}"
    yield row_of("registered", arms[-1].name, measured, beyond, "ms", at_most=20)
    yield from map(_memory, arms)


def _setting(population: int) -> str:
    return f"{population} registered, {SAMPLED} sampled, 2.1 MB"


def _memory(arm: Fresh) -> Row:
    if not is_known():
        return missing("registered", arm.name, "memory needs /proc/PID/smaps_rollup")
    with closing(arm.start()) as program, watching(program.pid) as peak:
        program.turn()
    return row_of("registered", arm.name, "peak, all processes", [peak.bytes / 1e6], "MB", at_most=1000)


def _run(request: Mapping[str, Any]) -> dict[str, float]:
    """Run a federation of so many; return the median seconds of a round, and of all, from import to end."""
    started = time.perf_counter()
    import fedlocal

    population = request["population"]
    size = (f"dataset.train={population}", f"actors={population}")
    fraction = f"strategy.fraction_train={SAMPLED / population}"
    outcome = fedlocal.run(fedlocal.compose(*WORKLOAD, *size, fraction))
    rounds = [round_.timed for round_ in outcome.histories["federated"].rounds[1 + WARM_UP :]]
    return {"seconds": float(np.median(rounds)), "whole": time.perf_counter() - started}


if __name__ == "__main__":
    serve(_run)
