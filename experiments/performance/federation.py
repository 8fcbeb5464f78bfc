"""The federation under test: fedlocal's actors, its round loop, and a strategy, around any client app."""

import itertools
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from experiments.performance.apps import arrays_of, echo
from experiments.performance.figures import UNITS
from experiments.performance.hosts import LINEAR_MODEL, start_default_client, start_runner
from fedlocal.actors import one_thread
from fedlocal.flower.admission.strict import Strict
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.backends import Actors
from fedlocal.flower.node.client_runner import ClientRunner
from fedlocal.flower.server.round_loop import FederatedRound, RoundLoop
from fedlocal.results import TIMED
from fedlocal.schemes.federated_rounds import times
from fedlocal.strategies.fedavg import FedAvg

PAPER = 535_818  # parameters of 784-512-256-10: 2.1 MB of float32
LINEAR = 7_850  # of 784-10: 31 KB
WARM_UP = 3  # rounds in which memory is touched for the first time
WORKERS = 2
ENDLESS = 1 << 30


@dataclass(frozen=True)
class Federation:
    """What a federation consists of: clients that all train in every round, each with so many rows."""

    app: Callable[[], ClientApp]
    clients: int
    initial: Mapping[str, NDArray[Any]]
    rows: int = 1
    strategy: Callable[..., Strategy] = FedAvg
    start: Callable[[Callable[[], ClientApp], int], ClientRunner] = start_runner

    def rounds(self, count: int = ENDLESS) -> Generator[FederatedRound]:
        """Start workers, yield rounds from the first one on, and end the workers with the iterator."""
        strategy = self.strategy(fraction_evaluate=0.0, min_available_nodes=self.clients)
        admit = Strict([self.rows] * self.clients)
        loop = RoundLoop(strategy, count, 1, lambda *_: {}, admit)
        start, costs = partial(self.start, self.app, self.clients), [1.0] * self.clients
        with Actors().open(start, costs, WORKERS) as grid:
            yield from itertools.islice(loop.run(grid, self.initial), 1, None)


@contextmanager
def session() -> Iterator[None]:
    """Keep Flower's log quiet and aggregation on one thread, as every run of fedlocal does."""
    with quiet(), one_thread():
        yield


class Rounds:
    """A federation as an arm: a turn is a round in steady state, its figure the round's seconds.

    Seconds are those that speed-up counts: dispatch, training, collection and aggregation; `spans` has them
    apart, turn by turn. Its workers start here.
    """

    def __init__(self, name: str, federation: Federation) -> None:
        self.name = name
        self.spans: list[Mapping[str, float]] = []
        self._rounds = federation.rounds()
        for _ in range(WARM_UP):
            next(self._rounds)

    def turn(self) -> float:
        """Run a round."""
        self.spans.append(times(next(self._rounds)))
        return sum(self.spans[-1][span] for span in TIMED)

    def close(self) -> None:
        """End the workers."""
        self._rounds.close()

    def breakdown(self, scale: float) -> str:
        """Return the median of each span, in seconds times `scale`, as a note."""
        medians = {span: float(np.median([turn[span] for turn in self.spans])) for span in TIMED}
        return ", ".join(f"{span} {scale * median:.3f}" for span, median in medians.items())


def echoing(clients: int, parameters: int, strategy: Callable[..., Strategy] = FedAvg) -> Federation:
    """Return a federation whose clients send back what they get."""
    return Federation(echo, clients, arrays_of(parameters), strategy=strategy)


def own_client(clients: int) -> Federation:
    """Return a federation of fedlocal's own client, whose clients have nothing to train."""
    return Federation(echo, clients, LINEAR_MODEL().arrays, start=start_default_client)


def size_of(parameters: int) -> str:
    """Return the size of a float32 model in words.

    Examples
    --------
    >>> size_of(PAPER), size_of(LINEAR), size_of(250)
    ('2.1 MB', '31 KB', '1 KB')
    >>> size_of(125_000)
    '500 KB'
    """
    size = 4.0 * parameters
    unit = next((name for name in ("B", "KB") if size < UNITS[name] * 1000), "MB")
    return f"{float(f'{size / UNITS[unit]:.2g}'):g} {unit}"
