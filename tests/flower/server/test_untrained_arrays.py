"""Arrays that no gradient moves stay what they are, whatever the strategy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.serverapp import strategy as flower
from numpy.typing import NDArray

from fedlocal import compose, run
from fedlocal.flower.server.round_loop import RoundLoop
from fedlocal.flower.server.untrained_arrays import UntrainedArraysError, rounded
from tests.flower.server.test_round_loop import INITIAL, Everything
from tests.strategies.test_state import built, grid

PRESETS = sorted(path.stem for path in Path("conf/strategy").glob("*.yaml"))
STEPPING = ("fedadagrad", "fedadam", "fedavgm", "fedyogi", "qfedavg")
COUNTERS: dict[str, NDArray[Any]] = {
    "batches": np.array(0, np.int64),
    "mask": np.array([True, False]),
}


def trained(preset: str, arrays: dict[str, NDArray[Any]], rounds: int, *untrained: str) -> Any:
    with grid() as opened:
        loop = RoundLoop(built(preset), rounds, 1, lambda *_: {}, Everything(), untrained=untrained)
        *_, last = loop.run(opened, arrays)
    return last.arrays


@pytest.mark.parametrize("preset", PRESETS)
def test_counters_and_truths_are_as_all_clients_have_them(preset: str) -> None:
    model = trained(preset, {**INITIAL, **COUNTERS}, 1)
    assert model["batches"].dtype == np.int64
    assert model["batches"] == 190
    assert all(type(array) is np.ndarray for array in model.values())  # no scalars: Flower refuses them
    np.testing.assert_array_equal(model["mask"], [False, True])
    alone = trained(preset, dict(INITIAL), 1)  # and they have no say in what is trained
    for name, array in alone.items():
        assert model[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("preset", STEPPING)
def test_servers_take_no_steps_with_statistics(preset: str) -> None:
    plain = trained("fedavg", dict(INITIAL), 1)["b"]
    np.testing.assert_allclose(trained(preset, dict(INITIAL), 1, "b")["b"], plain, rtol=1e-6)
    variances = {**INITIAL, "b": np.full((2, 2), 100.0, np.float32)}
    assert trained(preset, variances, 6, "b")["b"].min() > 0


def test_a_strategy_that_would_spoil_untrained_arrays_is_refused_before_anybody_trains() -> None:
    class Around(flower.DifferentialPrivacyServerSideFixedClipping): ...

    class Plain(flower.FedAvg):
        strategy = None

    def start(strategy: Any, arrays: dict[str, NDArray[Any]], *untrained: str) -> Any:
        loop = RoundLoop(strategy, 1, 1, lambda *_: {}, Everything(), untrained=untrained)
        with grid() as opened:
            return next(loop.run(opened, arrays))

    private = Around(built("fedavg"), 0.1, 1.0, 5)
    with pytest.raises(UntrainedArraysError, match="Around changes all arrays alike, and batches, mask are"):
        start(private, {**INITIAL, **COUNTERS})
    with pytest.raises(UntrainedArraysError, match="and b are no parameters"):
        start(private, dict(INITIAL), "b")
    assert start(private, dict(INITIAL)).number == 0
    assert start(Plain(), {**INITIAL, **COUNTERS}, "b").number == 0


def test_numbers_are_rounded_to_integers_not_cut() -> None:
    values = np.array([189.9999999, -0.6, 2.4])
    np.testing.assert_array_equal(rounded(values, np.dtype(np.int64)), [190, -1, 2])
    assert rounded(values, np.dtype(np.int64)).dtype == np.int64
    np.testing.assert_array_equal(rounded(np.array([0.3, 0.7]), np.dtype(bool)), [False, True])
    assert np.isnan(rounded(np.array(np.nan), np.dtype(np.int64)))  # for the round loop to refuse


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["fedavgm", "fedadam", "qfedavg", "krum"])
def test_batch_norm_s_variances_stay_variances(strategy: str) -> None:
    pytest.importorskip("torch")
    options = [
        "model=torch",
        "model.module._target_=tests.models.frameworks.torch_modules.normalised",
        "actors=5",
    ]
    options += [f"strategy={strategy}", "partition=linear", "rounds=6", "baseline=false", "display=off"]
    rate = ["strategy.client_learning_rate=0.1"] if strategy == "qfedavg" else []
    model = run(compose(*options, *rate, "backend=inline")).models["model"]
    assert model["2.running_var"].min() >= 0
    assert model["2.num_batches_tracked"] > 0
