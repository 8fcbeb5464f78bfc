"""Flower's own simulation on Ray, with the same client apps and model: whole runs, and steady rounds."""

import itertools
import statistics
from collections.abc import Iterator

from experiments.performance.peers.environments import python_of, versions_of
from experiments.performance.peers.whole_runs import UNSTEADY, WholeRun
from experiments.performance.programs import ProgramError, module
from experiments.rows import Row, missing, row_of
from experiments.runner import Options
from experiments.turns import Turns, alternate, ratios

TURNS, ROUNDS = 3, 5
FEDLOCAL, FLOWER, DEFAULTS = "fedlocal", "Flower on Ray", "Flower on Ray, default resources"
OVERHEAD = {100: 20.0}  # times, of an empty round by the number of clients; elsewhere never slower
WALL = 2.5

LOGISTIC_ROUNDS, LOGISTIC_CLIENTS = 10, 1000


def measure(options: Options) -> Iterator[Row]:
    """Yield the ratios of each workload at 10 and at 100 clients, then Flower's time of the LR workload."""
    python = python_of("ray", options.peers)
    versions = versions_of("ray", options.peers)
    for workload, clients in itertools.product(("echo", "training"), (10, 100)):
        try:
            yield from _compared(python, workload, clients)
        except ProgramError as error:
            yield missing("flower_ray", f"{workload}, {clients} clients", str(error).splitlines()[0])
    yield from _logistic(python, versions)


def _compared(python: str, workload: str, clients: int) -> Iterator[Row]:
    flower = module("peers.flower_run", python)
    commands = {
        FEDLOCAL: module("peers.fedlocal_run"),
        FLOWER: flower,
        DEFAULTS: [*flower, "--default-resources"],
    }
    runs = [WholeRun(name, command, workload, clients, ROUNDS) for name, command in commands.items()]
    wall = alternate(runs, TURNS)
    per_client = {run.name: [1000 * seconds / clients for seconds in run.steady()] for run in runs}
    setting = f"{workload}, {clients} clients"
    for peer in (FLOWER, DEFAULTS):
        least = OVERHEAD.get(clients, 1.0) if workload == "echo" else 1.0
        yield _row(setting, "a round in steady state", peer, per_client, least, "ms per client")
        yield _row(setting, f"a whole run of {ROUNDS} rounds", peer, wall, WALL, "s")


def _row(setting: str, what: str, peer: str, figures: Turns, at_least: float, unit: str) -> Row:
    theirs, ours = (statistics.median(figures[name]) for name in (peer, FEDLOCAL))
    note = f"{theirs:.3g} {unit}, fedlocal {ours:.3g}"
    turns, measured = ratios(figures, peer, FEDLOCAL), f"{what}: {peer} / {FEDLOCAL}"
    return row_of("flower_ray", setting, measured, turns, "x", at_least=at_least, note=note)


def _logistic(python: str, versions: str) -> Iterator[Row]:
    """Yield what the section `logistic` measures of fedlocal, from fewer rounds and without evaluation."""
    run = WholeRun(FLOWER, module("peers.flower_run", python), "logistic", LOGISTIC_CLIENTS, LOGISTIC_ROUNDS)
    wall = run.turn()
    later = run.rounds[0][UNSTEADY:]
    setting = f"LR, {LOGISTIC_CLIENTS} clients, 10 a round"
    yield row_of("flower_ray", setting, f"a round in steady state: {FLOWER}", later, "s", note=versions)
    hundred = wall + (100 - LOGISTIC_ROUNDS) * statistics.median(later)
    note = f"from a run of {LOGISTIC_ROUNDS} rounds, without evaluation; {versions}"
    yield row_of("flower_ray", setting, f"a whole run of 100 rounds: {FLOWER}", [hundred], "s", note=note)
