"""The memory of a round of N clients that send 2.1 MB back: all processes together, at its peak."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any

from experiments.performance.federation import PAPER, echoing, session, size_of
from experiments.performance.programs import Fresh, module, serve
from experiments.performance.pss import is_known, watching
from experiments.rows import Row, missing, row_of
from experiments.runner import Options
from fedlocal.actors.engine.delivery import POOL_BUDGET

CLIENTS, ROUNDS = (10, 100, 1000), 6
BEYOND = 300  # MB: the interpreters, and what they import
MODEL = 4 * PAPER / 1e6  # MB


def measure(options: Options) -> Iterator[Row]:
    """Yield the peak for each number of clients, each time in a process of its own."""
    if not is_known():
        yield missing("memory", f"{size_of(PAPER)}", "needs /proc/PID/smaps_rollup")
        return
    slots = int(POOL_BUDGET / 1e6 / MODEL)
    for clients in CLIENTS:
        peaks = [_peak(clients) for _ in range(1 if options.quick else 3)]
        bound, setting = round(min(clients, slots) * MODEL + BEYOND), f"{clients} clients, {size_of(PAPER)}"
        note = f"{slots} slots" if clients > slots else ""
        yield row_of("memory", setting, "peak, all processes", peaks, "MB", at_most=bound, note=note)


def _peak(clients: int) -> float:
    arm = Fresh("memory", module("sections.memory"), {"clients": clients})
    with closing(arm.start()) as program, watching(program.pid) as peak:
        program.turn()
    return peak.bytes / 1e6


def _rounds(request: Mapping[str, Any]) -> dict[str, float]:
    with session(), closing(echoing(request["clients"], PAPER).rounds(ROUNDS)) as rounds:
        for _ in islice(rounds, ROUNDS):
            pass
    return {"seconds": 0.0}


if __name__ == "__main__":
    serve(_rounds)
