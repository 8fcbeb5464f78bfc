"""Norm clipping: no update counts for more than the bound, and those within it count as they are."""

from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Error, Message, MetricRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as ndarrays_of
from numpy.typing import NDArray

from fedlocal.config.build import build
from fedlocal.config.compose import compose
from fedlocal.config.schema import ConfigError
from fedlocal.flower.compat import private
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.node.client_runner import node_of
from fedlocal.strategies.fedavg import FedAvg
from fedlocal.strategies.norm_clipping import NormClipping, clipped, norm_of

NUMBERS = st.floats(-1e3, 1e3, width=32)
VECTORS = ndarrays_of(np.float32, 6, elements=NUMBERS)
SENT = {"w": np.arange(4, dtype=np.float32).reshape(2, 2), "b": np.ones(2, np.float32)}


def named(vector: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {"w": SENT["w"] + vector[:4].reshape(2, 2), "b": SENT["b"] + vector[4:]}


class Nodes:
    """A grid of as many nodes as asked for, which is all that sampling needs."""

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes

    def get_node_ids(self) -> list[int]:
        return [node_of(partition) for partition in range(self._nodes)]


def aggregated(strategy: FedAvg, updates: list[NDArray[Any]], failed: int = 0) -> dict[str, NDArray[Any]]:
    """Return what a strategy makes of updates, with equal weights, and of clients that failed."""
    private.become_server(1)
    grid: Any = Nodes(len(updates) + failed)
    messages = list(strategy.configure_train(1, array_record(SENT), ConfigRecord(), grid))
    messages.sort(key=lambda message: message.metadata.dst_node_id)
    replies = [
        Message(
            RecordDict({"arrays": array_record(named(update)), "metrics": MetricRecord({"num-examples": 1})}),
            reply_to=message,
        )
        for message, update in zip(messages, updates, strict=False)
    ]
    errors = [Message(Error(2, "raised"), reply_to=message) for message in messages[len(updates) :]]
    arrays, _ = strategy.aggregate_train(1, [*errors, *replies])
    assert arrays is not None
    return ndarrays(arrays)


def norm(update: NDArray[Any]) -> float:
    return float(np.linalg.norm(update.astype(np.float64)))


@given(VECTORS, st.floats(0.01, 1))
def test_an_update_keeps_its_direction_and_has_the_share_asked_for(
    update: NDArray[Any], share: float
) -> None:
    trained = named(update)
    whole, nearer = norm_of(SENT, trained), norm_of(SENT, clipped(SENT, trained, share))
    assert nearer == pytest.approx(share * whole, abs=1e-3)
    assert whole == pytest.approx(
        norm(np.concatenate([(trained[n] - SENT[n]).ravel() for n in SENT])), abs=1e-3
    )


@given(st.lists(VECTORS, min_size=2, max_size=6), st.floats(0.1, 100))
def test_the_mean_is_that_of_updates_within_the_bound(updates: list[NDArray[Any]], bound: float) -> None:
    mean = aggregated(NormClipping(norm=bound), updates)
    factors = [min(1.0, bound / max(norm_of(SENT, named(update)), 1e-9)) for update in updates]
    expected = named(np.mean([f * update for f, update in zip(factors, updates, strict=True)], axis=0))
    for name, array in mean.items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, expected[name], atol=2e-3)
    assert norm_of(SENT, mean) <= bound * 1.001 + 1e-3


@given(st.lists(VECTORS, min_size=2, max_size=6))
def test_a_bound_that_no_update_reaches_leaves_the_bits_of_fedavg(updates: list[NDArray[Any]]) -> None:
    plain, clipped_mean = aggregated(FedAvg(), updates), aggregated(NormClipping(norm=1e6), updates)
    for name, array in plain.items():
        assert np.array_equal(array, clipped_mean[name])


def test_the_median_is_the_bound_by_default_and_few_cannot_move_it() -> None:
    honest = [np.array([0, 0, 0, 0, 0, length], np.float32) for length in (1, 2, 3)]
    huge = np.array([1e30, 0, 0, 0, 0, 0], np.float32)
    mean = aggregated(NormClipping(), [*honest, huge, huge], failed=2)
    assert norm_of(SENT, mean) <= 3.001
    assert mean["w"][0, 0] == pytest.approx(2 * 3 / 5)  # both as long as the third
    assert mean["b"][1] == pytest.approx(1 + (1 + 2 + 3) / 5)


def test_clients_that_all_stay_where_they_are_have_no_norm_to_clip() -> None:
    mean = aggregated(NormClipping(), [np.zeros(6, np.float32)] * 3)
    assert norm_of(SENT, mean) == 0


def test_numbers_that_are_not_real_are_left_as_they_are() -> None:
    trained = {"steps": np.array([5]), "w": np.array([2.0])}
    sent = {"steps": np.array([1]), "w": np.array([0.0])}
    assert norm_of(sent, trained) == 2
    assert clipped(sent, trained, 0.5)["steps"] is trained["steps"]


@pytest.mark.parametrize("norm", ["0", "-1", "inf"])
def test_a_norm_that_cannot_be_is_named(norm: str) -> None:
    with pytest.raises(ConfigError, match="must be a finite number above 0, or null for the median"):
        build(compose("strategy=norm_clipping", f"strategy.norm={norm}"), "strategy")
