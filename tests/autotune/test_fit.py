"""Costs are found again from the rounds that they would give."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.autotune.cost_model import FederatedCosts, LinearCost, Sampling, SharedCost, Workers
from fedlocal.autotune.fit import Measurement, fit_costs

TRUTH = FederatedCosts(
    batch_size=32,
    epochs=1,
    step=SharedCost(0.002, 0.002),
    message=SharedCost(0.0005, 0.0005),
    row=0.00003,
    workers=Workers(2, alone=0.9, spread=0.05),
    exchange=LinearCost(0.003, 0.0002),
    aggregation=LinearCost(0.001, 0.0001),
)
PROBES = {"step": (2, 32), "part": (2, 8), "long": (2, 640), "alone": (1, 640), "crowd": (16, 8)}


def round_of(costs: FederatedCosts, actors: int, rows: int) -> Measurement:
    clients = np.array(actors / costs.workers.count)
    steps = -(-rows // costs.batch_size)
    message = float(costs.message.at(clients) + steps * costs.step.at(clients)) + rows * costs.row
    message *= costs.workers.contention(min(actors, costs.workers.count))
    prediction = costs.predict(np.full(actors, rows))
    return Measurement(
        actors, rows, prediction.seconds, prediction.aggregation, message, costs.workers.spread
    )


def recovered(costs: FederatedCosts, epochs: int = 1, **probes: tuple[int, int]) -> FederatedCosts:
    measurements = {name: round_of(costs, *probe) for name, probe in {**PROBES, **probes}.items()}
    return fit_costs(measurements, costs.workers.count, costs.batch_size, epochs, Sampling())


def assert_same(fitted: FederatedCosts, other: FederatedCosts) -> None:
    for rows in ([1000], [600, 400], [500, 300, 150, 50], [100] * 10, [31] * 32):
        predicted, expected = (costs.predict(np.array(rows)) for costs in (fitted, other))
        assert predicted.seconds == pytest.approx(expected.seconds, rel=1e-6)
        assert predicted.imbalance == pytest.approx(expected.imbalance, rel=1e-6, abs=1e-9)


def test_known_costs_are_recovered_from_measurements() -> None:
    assert_same(recovered(TRUTH), TRUTH)
    assert_same(recovered(TRUTH, epochs=3), replace(TRUTH, epochs=3))


@given(
    step=st.floats(1e-6, 1), message=st.floats(1e-6, 1), row=st.floats(1e-9, 1e-2), alone=st.floats(0.5, 1)
)
def test_any_costs_are_recovered_from_measurements(
    step: float, message: float, row: float, alone: float
) -> None:
    workers = Workers(2, alone, 0.02)
    truth = replace(
        TRUTH, step=SharedCost(step, step), message=SharedCost(message, message), row=row, workers=workers
    )
    assert_same(recovered(truth), truth)


def test_costs_of_stacks_are_recovered_from_measurements() -> None:
    truth = replace(TRUTH, step=SharedCost(0.002, 0.0004), message=SharedCost(0.0005, 0.0001))
    assert_same(recovered(truth, stacked=(16, 128)), truth)


def test_a_single_worker_waits_for_no_other() -> None:
    alone = replace(TRUTH, workers=Workers(1))
    assert_same(recovered(alone, step=(1, 32), part=(1, 8), long=(1, 640)), alone)


def test_noise_makes_no_cost_negative() -> None:
    measurements = {
        name: Measurement(actors, rows, 0.001, 0.002, 0.004 / (1 + index), 0.9)
        for index, (name, (actors, rows)) in enumerate(PROBES.items())
    }
    costs = fit_costs(measurements, 2, 32, 1, Sampling())
    prediction = costs.predict(np.array([50, 20, 3]))
    assert min(prediction.compute, prediction.exchange, prediction.aggregation, prediction.imbalance) >= 0
    assert prediction.seconds > 0


def test_batches_of_one_row_have_no_parts() -> None:
    measurements = {
        name: Measurement(actors, rows, 0.01, 0.001, 0.001 * rows)
        for name, (actors, rows) in {**PROBES, "step": (2, 1), "part": (2, 1), "crowd": (16, 1)}.items()
    }
    assert fit_costs(measurements, 2, 1, 1, Sampling()).row == 0
