"""The simulation of pfl-research with PyTorch on the processor: a round of FedAvg over the same rows."""

import statistics
from collections.abc import Iterator

from experiments.performance.peers.environments import python_of, versions_of
from experiments.performance.peers.whole_runs import WholeRun
from experiments.performance.programs import ProgramError, module
from experiments.rows import Row, missing, row_of
from experiments.runner import Options
from experiments.turns import alternate, ratios

TURNS, ROUNDS = 3, 5
FEDLOCAL = "fedlocal, 2 workers"
ONE_OF_TWO_THREADS, TWO_OF_ONE_THREAD = "pfl, 1 process of 2 threads", "pfl, 2 processes"
TWO_THREADS = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
TWO_PROCESSES = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def measure(options: Options) -> Iterator[Row]:
    """Yield the ratio of a round's seconds, in steady state, with 10 and with 100 users."""
    python = python_of("pfl", options.peers)
    versions = versions_of("pfl", options.peers)
    for users in (10, 100):
        try:
            yield from _compared(python, users, versions)
        except ProgramError as error:
            yield missing("pfl_research", f"{users} users", str(error).splitlines()[0])


def _compared(python: str, users: int, versions: str) -> Iterator[Row]:
    ours, (_, *theirs) = module("peers.fedlocal_run"), module("peers.pfl_run")
    runs = [
        WholeRun(FEDLOCAL, ours, "training", users, ROUNDS),
        WholeRun(ONE_OF_TWO_THREADS, [python, *theirs], "training", users, ROUNDS, TWO_THREADS),
        WholeRun(TWO_OF_ONE_THREAD, [python, *TWO_PROCESSES, *theirs], "training", users, ROUNDS),
    ]
    alternate(runs, TURNS)
    steady = {run.name: run.steady() for run in runs}
    for peer in (ONE_OF_TWO_THREADS, TWO_OF_ONE_THREAD):
        seconds, least = (statistics.median(steady[name]) for name in (peer, FEDLOCAL))
        note = f"{seconds:.3g} s, fedlocal {least:.3g}; {versions}"
        what = f"a round in steady state: {peer} / {FEDLOCAL}"
        turns = ratios(steady, peer, FEDLOCAL)
        yield row_of("pfl_research", f"{users} users", what, turns, "x", at_least=1, note=note)
