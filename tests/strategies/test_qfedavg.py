"""q-FedAvg weighs clients by their loss at the model that they received."""

import numpy as np
import pytest

from fedlocal import compose, run
from fedlocal.experiment.groups import build_groups
from fedlocal.experiment.setup import prepare
from fedlocal.flower.client.local_training import LOSS_BEFORE
from fedlocal.flower.server.round_loop import QuorumError
from fedlocal.strategies.qfedavg import QFedAvg
from tests.flower.server.test_round_loop import ALL, INITIAL, loop
from tests.strategies.test_state import grid

OPTIONS = ("strategy=qfedavg", "actors=3", "rounds=2", "baseline=false", "display=off", "backend=inline")


def test_a_round_is_the_paper_s_update_with_the_loss_before_training() -> None:
    q, rate = 0.7, 0.25
    with grid() as opened:
        strategy = QFedAvg(**ALL, q=q, client_learning_rate=rate, train_loss_key=LOSS_BEFORE)
        *_, last = loop(strategy, rounds=1).run(opened, INITIAL)
    before = np.concatenate([array.reshape(-1) for array in INITIAL.values()]).astype(np.float64)
    steps, heights = np.zeros_like(before), 0.0
    for partition in range(5):
        loss, update = partition + 2.0, (before - (before + partition) / 2) / rate
        steps += loss**q * update
        heights += q * loss ** (q - 1) * (update @ update) + loss**q / rate
    vector = np.concatenate([last.arrays[name].reshape(-1) for name in INITIAL])
    np.testing.assert_allclose(vector, before - steps / heights, rtol=1e-4)


@pytest.mark.slow
def test_clients_report_the_loss_of_their_rows_at_the_model_they_received() -> None:
    config = compose(*OPTIONS)
    history = run(config).histories["federated"]
    setting = prepare(config, build_groups(config))
    model = setting.new_model()
    for actor, measured in history.rounds[1].actors.items():
        rows = setting.slices.open(actor).training
        assert measured[LOSS_BEFORE] == pytest.approx(model.evaluate(rows.x, rows.y).loss, rel=1e-6)
        assert measured["train-loss"] < measured[LOSS_BEFORE]
    setting.slices.shards.close()


def test_an_app_that_does_not_report_the_loss_before_training_is_refused() -> None:
    app = ("client=app", "client.reference=tests.flower.client.partition_app:app")
    with pytest.raises(QuorumError, match="train-loss-before must be finite and at least 0, got None"):
        run(compose(*OPTIONS, *app))
