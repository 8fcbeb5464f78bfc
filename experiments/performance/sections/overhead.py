"""What a round costs beyond computation: 100 clients send the model back as it came."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, closing

from flwr.serverapp.strategy import FedAvg as FlowerFedAvg

from experiments.performance.federation import LINEAR, PAPER, Rounds, echoing, own_client, session, size_of
from experiments.rows import Row, row_of
from experiments.runner import Options
from experiments.turns import alternate
from fedlocal.strategies.fedavg import FedAvg

CLIENTS = 100
SIZES = (250, 2_500, LINEAR, 25_000, 125_000, PAPER, 1_250_000, 5_000_000)
"""Parameters of the models of the sweep: 1 KB to 20 MB."""

FEDLOCAL = "fedavg, fedlocal's own client"
BOUNDS = {
    ("fedavg", PAPER): 0.6,
    ("fedavg", LINEAR): 0.15,
    (FEDLOCAL, LINEAR): 0.15,
    ("Flower's FedAvg", LINEAR): 0.45,
}
STRATEGIES = {"fedavg": FedAvg, "Flower's FedAvg": FlowerFedAvg}
MEASURE = "overhead per client"


def measure(options: Options) -> Iterator[Row]:
    """Yield milliseconds per client: each case with a bound alone, then both strategies at other sizes."""
    turns, rng = (15 if options.quick else 40), random.Random(0)
    for case in BOUNDS:
        yield from _together([case], turns, rng)
    if not options.quick:
        for parameters in SIZES:
            cases = [(name, parameters) for name in STRATEGIES if (name, parameters) not in BOUNDS]
            yield from _together(cases, turns // 2, rng)


def _together(cases: list[tuple[str, int]], turns: int, rng: random.Random) -> Iterator[Row]:
    with session(), ExitStack() as stack:
        arms = []
        for strategy, parameters in cases:
            if strategy == FEDLOCAL:
                federation = own_client(CLIENTS)
            else:
                federation = echoing(CLIENTS, parameters, STRATEGIES[strategy])
            setting = f"{CLIENTS} clients, {size_of(parameters)}, {strategy}"
            arms.append(stack.enter_context(closing(Rounds(setting, federation))))
        figures = alternate(arms, turns, rng)
        for arm, case in zip(arms, cases, strict=True):
            per_client = [1000 * seconds / CLIENTS for seconds in figures[arm.name]]
            note = arm.breakdown(1000 / CLIENTS)
            yield row_of("overhead", arm.name, MEASURE, per_client, "ms", at_most=BOUNDS.get(case), note=note)
