"""Each worker's time in a round is divided among three states, and the round has a critical path."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.results import Round, Work
from fedlocal.results.occupancy import Occupancy, States, usage

SPANS = {"dispatch": 1.0, "training": 6.0, "collection": 1.0, "aggregation": 2.0}
WORK = [Work(7, 0, 1.0, 2.0), Work(8, 1, 1.5, 1.0), Work(9, 0, 4.0, 3.0), Work(6, 1, 5.0, 1.0)]


def of(round_: Round) -> Occupancy:
    occupancy = Occupancy.of(round_)
    assert occupancy is not None
    return occupancy


def test_a_worker_computes_or_waits_for_other_workers_or_no_worker_computes() -> None:
    """Of 10 s: dispatch 1; worker 0 at work in 1-3 and 4-7, worker 1 in 1.5-2.5 and 5-6; 3 to the end."""
    occupancy = of(Round(1, SPANS, work=WORK))
    assert occupancy.span == 10.0
    assert occupancy.computing().tolist() == [[1.0, 3.0], [4.0, 7.0]]
    assert occupancy.states() == [States(5.0, 5.0, 0.0), States(2.0, 5.0, 3.0)]
    assert occupancy.usage == (7.0, 10.0, 3.0, 10.0, 10.0)
    assert (occupancy.usage.efficiency, occupancy.usage.coordination_share) == (0.35, 0.5)


def test_a_round_waits_for_the_worker_that_ends_last() -> None:
    work = [Work(7, 0, 1.0, 2.0), Work(8, 1, 1.5, 5.0), Work(9, 0, 4.0, 3.0)]
    path = of(Round(1, SPANS, work=work)).critical_path()
    assert (path.worker, path.actor) == (0, 9)
    assert (path.coordination, path.work, path.gaps) == (4.0, 5.0, 1.0)
    assert path.seconds == 9.0  # a second less than the round: its gap


def test_a_round_in_waves_waits_for_the_last_of_each_wave() -> None:
    waves = [Work(0, 0, 1.0, 2.0), Work(1, 1, 1.0, 0.5), Work(0, 0, 4.0, 1.0), Work(1, 1, 4.5, 2.5)]
    path = of(Round(1, SPANS, work=waves)).critical_path()
    assert (path.worker, path.actor) == (1, 1)
    assert (path.coordination, path.work, path.gaps) == (5.0, 2.0 + 2.5, 0.5)  # worker 1 began late


def test_actors_that_work_once_need_no_list_of_stretches() -> None:
    measured = {work.actor: work._asdict() for work in WORK}
    of_actors = of(Round(1, SPANS, actors={actor: dict(times) for actor, times in measured.items()}))
    assert of_actors.states() == of(Round(1, SPANS, work=WORK)).states()
    assert of_actors.actor.tolist() == [7, 8, 9, 6]


@pytest.mark.parametrize(("idle", "workers"), [(23.0, (0, 1, 3)), (33.0, (0, 1, 2, 3)), (0.0, (1, 3))])
def test_a_worker_without_work_is_counted(idle: float, workers: tuple[int, ...]) -> None:
    """30 or 40 worker-seconds in a round of 10 s make 3 or 4 workers, whoever was seen."""
    round_ = Round(1, {**SPANS, "busy": 7.0, "idle": idle}, work=[Work(0, 3, 1.0, 3.0), Work(1, 1, 2.0, 4.0)])
    assert of(round_).workers == workers
    if 0 in workers:
        assert of(round_).states()[0] == States(0.0, 5.0, 5.0)


def test_a_round_without_known_work_has_no_states() -> None:
    complete, unknown = Round(1, SPANS, work=WORK), Round(2, SPANS, actors={0: {"seconds": 1.0}})
    assert Occupancy.of(unknown) is None
    assert Occupancy.of(Round(1, work=[Work(0, 0, 0.0, 0.0)])) is None
    assert usage([unknown]) is None
    assert usage([]) is None
    assert usage([complete, unknown]) == of(complete).usage


def test_rounds_add_up() -> None:
    total = usage([Round(1, SPANS, work=WORK), Round(2, {"training": 6.0}, work=[Work(0, 0, 1.0, 5.0)])])
    assert total == (12.0, 11.0, 3.0, 16.0, 16.0)


SECONDS = st.floats(0, 1e3)
STRETCHES = st.lists(st.builds(Work, st.integers(0, 9), st.integers(0, 4), SECONDS, SECONDS), min_size=1)


@given(STRETCHES, st.floats(1e-6, 1e3), st.floats(0, 1e4))
def test_the_states_fill_the_round(work: list[Work], training: float, idle: float) -> None:
    """Whatever was measured: overlapping stretches too, and spans that end before the last of them."""
    occupancy = of(Round(1, {"training": training, "idle": idle}, work=work))
    states, slack = np.array(occupancy.states()), 1e-9 * (1 + occupancy.span)
    assert (states >= 0).all()
    assert np.allclose(states.sum(axis=1), occupancy.span, atol=slack)
    assert np.ptp(states[:, 1]) == 0  # nobody computes at the same time for all
    assert set(occupancy.worker.tolist()) <= set(occupancy.workers)
    assert 0 <= occupancy.usage.efficiency <= 1 + 1e-9
    assert 0 <= occupancy.usage.coordination_share <= 1 + 1e-9


@given(STRETCHES, st.floats(1e-6, 1e3))
def test_no_critical_path_is_longer_than_its_round(work: list[Work], training: float) -> None:
    occupancy = of(Round(1, {"training": training}, work=work))
    path, slack = occupancy.critical_path(), 1e-9 * (1 + occupancy.span)
    assert 0 <= path.seconds <= occupancy.span + slack
    assert path.seconds + path.gaps == pytest.approx(occupancy.span, abs=slack)
    assert path.coordination == pytest.approx(occupancy.states()[0].coordination, abs=slack)
    assert (
        path.work <= occupancy.states()[0].computing + occupancy.states()[0].idle + slack
    )  # while anybody computes


@given(STRETCHES, st.randoms(use_true_random=False))
def test_the_order_of_the_stretches_does_not_matter(work: list[Work], random: object) -> None:
    shuffled = list(work)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ordered, other = of(Round(1, SPANS, work=work)), of(Round(1, SPANS, work=shuffled))
    assert ordered.states() == other.states()
    assert ordered.critical_path() == other.critical_path()
