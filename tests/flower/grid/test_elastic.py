"""A backend whose workers come and go: within its bounds, and with its times in order."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from fedlocal import History, compose, run
from fedlocal.actors import ActorSystem, Autoscaler
from fedlocal.flower.grid.backends import Actors, Elastic
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.node.client_runner import ClientActors
from tests.flower.apps import start
from tests.flower.grid.test_local_grid import messages, numbers

pytestmark = pytest.mark.usefixtures("no_leaks")


class PlannedAutoscaler(Autoscaler):
    """Takes the number of workers after each set of messages from a list."""

    numbers: Iterator[int]

    def begin(self) -> None:
        pass

    def end(self, messages: int, seconds: float, busy: float) -> None:
        assert 0 <= busy <= seconds * self.system.workers
        self.system.resize(next(self.numbers))


def test_an_exchange_has_the_workers_that_there_were() -> None:
    system = ActorSystem(partial(ClientActors, start), workers=2)
    autoscaler = PlannedAutoscaler(system, 1, 3)
    autoscaler.numbers = iter([1, 3, 2])
    with LocalGrid(system, [1.0] * 5, autoscaler) as grid:
        for count, workers in enumerate([2, 1, 3], 1):
            replies = grid.send_and_receive(messages("train.count"))
            assert numbers(replies, "n") == [count] * 5
            assert grid.last_exchange
            assert grid.last_exchange.workers == workers


@pytest.mark.parametrize(
    ("workers", "clients", "fewest", "bounds"),
    [(8, 5, 1, (1, 5)), (1, 5, 1, (1, 1)), (3, 5, 2, (2, 3)), (4, 2, 3, (2, 2))],
)
def test_the_bounds_of_the_workers_are_those_asked_for(
    monkeypatch: pytest.MonkeyPatch, workers: int, clients: int, fewest: int, bounds: tuple[int, int]
) -> None:
    asked: list[int] = []

    def clients_(self: Actors, start: object, workers: int, journal: object = None) -> ActorSystem:
        asked.append(workers)
        return ActorSystem(partial(ClientActors, start), workers=1)  # type: ignore[arg-type]

    monkeypatch.setattr(Actors, "clients", clients_)
    monkeypatch.setattr("fedlocal.flower.grid.backends.usable_cores", lambda: 2)
    with Elastic(min_workers=fewest).open(start, np.ones(clients), workers) as grid:
        assert grid._autoscaler
        assert (grid._autoscaler.least, grid._autoscaler.most) == bounds
    assert asked == [max(bounds[0], min(bounds[1], 2))]


def test_fewer_than_one_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="min_workers must be at least 1, got 0"):
        Elastic(min_workers=0)


def _history(*overrides: str) -> History:
    small = ["dataset=synthetic", "dataset.train=200", "dataset.shape=[4,4]", "model.hidden=[8]", "rounds=14"]
    return run(compose(*small, "baseline=false", "display=off", *overrides)).histories["federated"]


def test_the_history_says_how_many_workers_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedlocal.flower.grid.backends.usable_cores", lambda: 2)
    history = _history("backend=elastic", "workers=2", "strategy.fraction_train=0.25")
    workers = [round_.workers for round_ in history.rounds[1:]]
    assert workers[0] == pytest.approx(2)
    assert workers[-1] == pytest.approx(1)  # one client a round needs no more
