"""The cost model, on numbers that can be checked by hand."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.autotune.cost_model import FederatedCosts, LinearCost, Sampling, SharedCost, WaveCosts, Workers
from fedlocal.availability import Dropout, Schedule

WORK = st.lists(st.floats(0.001, 10), min_size=1, max_size=40)
FREE = LinearCost(0.0, 0.0)
COSTS = FederatedCosts(10, 1, SharedCost(1.0, 1.0), SharedCost(0.5, 0.5), 0.1, Workers(2), FREE, FREE)


def sizes(*rows: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(rows, np.int64)


def test_the_longest_work_goes_first() -> None:
    assert Workers(2).makespan([3, 3, 2, 2, 2]) == pytest.approx(7)  # 3 + 2 + 2 beside 3 + 2; the best is 6
    assert Workers(1).makespan([1, 2, 3]) == pytest.approx(6)
    assert Workers(4).makespan([]) == 0


@given(WORK, st.integers(1, 9))
def test_the_makespan_is_within_grahams_bound(work: list[float], count: int) -> None:
    least = max(max(work), sum(work) / count)
    makespan = Workers(count).makespan(work)
    assert least * (1 - 1e-9) <= makespan <= (sum(work) / count + max(work) * (1 - 1 / count)) * (1 + 1e-9)


@given(WORK, st.integers(2, 9), st.floats(0.2, 1), st.floats(0, 0.4))
def test_work_takes_longer_on_unequal_workers_and_less_where_one_alone_is_faster(
    work: list[float], count: int, alone: float, spread: float
) -> None:
    equal = Workers(count).makespan([1.0] * count)
    assert Workers(count, spread=spread).makespan([1.0] * count) >= equal
    assert Workers(count, alone).makespan(work) <= Workers(count).makespan(work) * (1 + 1e-9)
    assert Workers(count, alone).makespan(work) >= alone * max(work) * (1 - 1e-9)


def test_one_worker_alone_works_at_its_own_pace() -> None:
    assert Workers(2, alone=0.5).makespan([4.0]) == pytest.approx(2)
    assert Workers(2, alone=0.5).makespan([4.0, 1.0]) == pytest.approx(1 + 3 / 2)
    assert Workers(3, alone=0.5).contention(2) == pytest.approx(0.75)


def test_equal_work_ends_with_the_slowest_worker() -> None:
    assert Workers(2, spread=0.1).makespan([1.0, 1.0]) == pytest.approx(1.1)


def test_a_batch_that_is_not_full_is_a_whole_step() -> None:
    prediction = COSTS.predict(sizes(11, 10))  # two steps beside one
    assert prediction.seconds == pytest.approx(0.5 + 2 * 1.0 + 11 * 0.1)
    assert prediction.exchange == pytest.approx(2 * 0.5 / 2)
    assert prediction.compute == pytest.approx((3 * 1.0 + 21 * 0.1) / 2)


def test_the_rest_of_the_time_is_imbalance() -> None:
    even, skewed, few = (COSTS.predict(rows) for rows in (sizes(20, 20), sizes(30, 10), sizes(40)))
    assert even.imbalance == pytest.approx(0)
    assert skewed.imbalance == pytest.approx(1.0 + 10 * 0.1)
    assert few.imbalance == pytest.approx(few.compute + 0.25)
    assert even.compute == skewed.compute == few.compute


def test_epochs_multiply_steps_alone() -> None:
    once, thrice = (replace(COSTS, epochs=epochs).predict(sizes(20, 20)) for epochs in (1, 3))
    assert thrice.compute == pytest.approx(3 * once.compute)
    assert thrice.exchange == once.exchange


def test_exchange_and_aggregation_grow_with_actors() -> None:
    costs = replace(COSTS, exchange=LinearCost(0.2, 0.01), aggregation=LinearCost(0.1, 0.02))
    prediction = costs.predict(sizes(10, 10, 10, 10))
    assert prediction.exchange == pytest.approx(4 * 0.5 / 2 + 0.2 + 4 * 0.01)
    assert prediction.aggregation == pytest.approx(0.1 + 4 * 0.02)


@given(st.lists(st.integers(0, 500), min_size=1, max_size=30), st.floats(0, 2), st.floats(0, 2))
def test_a_higher_cost_takes_longer(rows: list[int], message: float, aggregation: float) -> None:
    before = COSTS.predict(sizes(*rows))
    costs = replace(
        COSTS, message=SharedCost(0.5 + message, 0.5 + message), aggregation=LinearCost(aggregation, 0.0)
    )
    assert costs.predict(sizes(*rows)).seconds >= before.seconds - 1e-9
    assert min(before.compute, before.exchange, before.imbalance) >= -1e-9


def test_clients_of_equally_many_rows_share_calls() -> None:
    costs = replace(COSTS, step=SharedCost(1.0, 0.2), message=SharedCost(0.0, 0.0), row=0.0)
    assert costs.predict(sizes(*[10] * 8)).seconds == pytest.approx(4 * (0.2 + 0.8 / 4))
    assert costs.predict(sizes(10, 9, 8, 7)).seconds == pytest.approx(2 * 1.0)


@given(st.floats(0.01, 1), st.floats(0, 1), st.floats(1.5, 64))
def test_the_shared_cost_is_found_from_two_measurements(alone: float, part: float, clients: float) -> None:
    truth = SharedCost(alone, part * alone)
    shared = SharedCost.measured(alone, float(truth.at(np.array(clients))), clients)
    assert shared.least == pytest.approx(truth.least, abs=1e-9)


def test_where_actors_are_sampled_rounds_visit_a_part_of_the_rows() -> None:
    costs = replace(COSTS, message=SharedCost(0.0, 0.0), sampling=Sampling(0.5, 1))
    prediction = costs.predict(sizes(10, 10, 10, 10))
    assert prediction.visited == pytest.approx(0.5)
    assert prediction.seconds == pytest.approx(2.0)
    assert prediction.per_pass == pytest.approx(COSTS.predict(sizes(10, 10, 10, 10)).seconds - 2 * 0.5)
    assert replace(costs, sampling=Sampling(0.1, 3)).predict(sizes(10, 10, 10, 10)).visited == 0.75


def test_sampled_rounds_are_the_same_each_time() -> None:
    costs = replace(COSTS, sampling=Sampling(0.5))
    rows = np.arange(1, 9) * 7
    assert costs.predict(rows) == costs.predict(rows)


def test_a_line_goes_through_both_points_and_never_below_nothing() -> None:
    line = LinearCost.through((2, 1.0), (6, 3.0))
    assert (line.fixed, line.per_actor) == (0.0, 0.5)
    assert LinearCost.through((2, 3.0), (6, 1.0)) == LinearCost(3.0, 0.0)
    assert LinearCost.through((2, 3.0), (2, 3.0)).at(7) == 3.0


WAVES = WaveCosts(
    10, 1, {1: 1, 2: 2, 3: 3, 4: 4, 8: 8}, Workers(2, alone=0.8), 0.9, LinearCost(0.25, 1.0), 0.5
)


def test_a_wave_takes_as_long_as_its_largest_share() -> None:
    prediction = WAVES.predict(np.full(3, 20))  # six batches, two waves of three: two beside one
    assert prediction.seconds == pytest.approx(2 * (0.25 + 2 * 1.0 + 0.5))
    assert prediction.exchange == pytest.approx(0.5)
    assert prediction.aggregation == pytest.approx(1.0)
    assert prediction.compute == pytest.approx(6 * 1.0 / 2)


def test_the_last_wave_may_be_smaller() -> None:
    prediction = WAVES.predict(np.full(4, 15))  # six batches: a wave of four, a wave of two
    assert prediction.seconds == pytest.approx(2 * 1.0 + 1 * 1.0 + 2 * (0.25 + 0.5))


def test_a_wave_of_one_batch_is_a_step_of_one_processor() -> None:
    assert WAVES.predict(sizes(60)).seconds == pytest.approx(6 * 0.9)
    assert replace(WAVES, accumulate={2: 1}).predict(sizes(30, 30)).seconds == pytest.approx(6 * 0.9)


def test_one_processor_with_several_batches_works_alone() -> None:
    assert replace(WAVES, accumulate={1: 3}).predict(sizes(60)).seconds == pytest.approx(
        6 * 0.8 + 2 * (0.25 + 0.5)
    )


def test_no_wave_is_larger_than_the_data() -> None:
    assert WAVES.predict(np.full(8, 5)).seconds == pytest.approx(2 * 1.0 + 0.25 + 0.5)


@pytest.mark.parametrize(("mid_round", "asks_all"), [(False, True), (True, True), (False, False)])
def test_rows_of_actors_that_are_away_are_not_visited(mid_round: bool, asks_all: bool) -> None:
    away = partial(Dropout(p=0.5, mid_round=mid_round), rounds=1000, draw=_draw)
    sampling = Sampling(1.0 if asks_all else 0.5, 1, 1000, away)
    rounds = sampling.draws(100)
    assert rounds
    expected = 0.5 if asks_all else 0.25
    assert sum(map(len, rounds)) / len(rounds) / 100 == pytest.approx(expected, abs=0.05)
    prediction = replace(COSTS, sampling=sampling).predict(sizes(*[10] * 100))
    assert prediction.visited == pytest.approx(expected, abs=0.05)
    assert [list(round_) for round_ in rounds] == [list(round_) for round_ in sampling.draws(100)]


def test_a_round_for_which_too_few_are_there_visits_nothing() -> None:
    nobody = Sampling(1.0, 3, 1, partial(Schedule(leave={1: [0, 1]}), rounds=1, draw=_draw))
    assert replace(COSTS, sampling=nobody).predict(sizes(10, 10, 10, 10)).visited == 0.0


def _draw(partition: int, number: int) -> np.random.Generator:
    return np.random.default_rng([partition, number])
