"""Whether a robust strategy withstands anybody is said before anything runs."""

import logging
from typing import Any

import numpy as np
import pytest
from flwr.serverapp import strategy as flower

from fedlocal import compose, run
from fedlocal.availability import always_available
from fedlocal.availability.base import Presence, no_dropout
from fedlocal.flower.compat.logs import quiet
from fedlocal.strategies.norm_clipping import NormClipping
from fedlocal.strategies.robustness import WeakStrategyError, weakness, withstands

FEW: dict[str, Any] = {"min_train_nodes": 1, "min_available_nodes": 1}


def built(kind: Any, **options: Any) -> Any:
    with quiet():
        return kind(**FEW, **options)


@pytest.mark.parametrize(
    ("kind", "options", "replies", "said"),
    [
        (flower.FedTrimmedAvg, {"beta": 0.2}, 4, "against 1 it needs 5 replies, or strategy.beta=0.25"),
        (flower.FedTrimmedAvg, {"beta": 0.2}, 5, ""),
        (flower.FedTrimmedAvg, {"beta": 0.0}, 5, "it needs strategy.beta above 0, or strategy.beta=0.2"),
        (flower.FedTrimmedAvg, {"beta": 0.1}, 2, "it needs 10 replies"),
        (flower.Krum, {"num_malicious_nodes": 1}, 4, "no malicious actor; against 1 it needs 5 replies"),
        (flower.Krum, {"num_malicious_nodes": 1}, 5, ""),
        (flower.Krum, {}, 5, "it needs 5 replies and strategy.num_malicious_nodes=1"),
        (flower.MultiKrum, {"num_malicious_nodes": 1, "num_nodes_to_select": 2}, 5, ""),
        (flower.MultiKrum, {"num_malicious_nodes": 1, "num_nodes_to_select": 4}, 6, "it needs 7 replies"),
        (flower.Bulyan, {}, 7, "it needs 7 replies and strategy.num_malicious_nodes=1"),
        (flower.Bulyan, {"num_malicious_nodes": 1}, 7, ""),
        (flower.FedMedian, {}, 2, "it needs 3 replies"),
        (flower.FedMedian, {}, 3, ""),
        (NormClipping, {}, 2, "it needs 3 replies"),
        (NormClipping, {"norm": 0.5}, 2, ""),
        (flower.FedAvg, {}, 1, ""),
    ],
)  # fmt: skip
def test_a_strategy_that_withstands_nobody_is_named_with_the_number_that_would(
    kind: Any, options: dict[str, Any], replies: int, said: str
) -> None:
    warning = weakness(built(kind, **options), always_available, replies, 3, 0)
    assert said in warning
    assert bool(said) == bool(warning)


def test_strategies_are_judged_by_the_malicious_actors_that_there_are() -> None:
    strategy = built(flower.Krum, num_malicious_nodes=1)
    assert not weakness(strategy, always_available, 10, 3, 1)
    assert (
        "withstands 1 malicious actor; against 2 it needs 7 replies and strategy.num_malicious_nodes=2"
        in (weakness(strategy, always_available, 10, 3, 2))
    )


def test_bulyan_is_refused_where_it_would_give_no_model() -> None:
    with pytest.raises(
        WeakStrategyError, match=r"of 7 replies at least, and there are 6 replies a round.*=0$"
    ):
        weakness(built(flower.Bulyan, num_malicious_nodes=1), always_available, 6, 3, 0)


def test_sampling_and_absence_leave_fewer_replies() -> None:
    strategy = built(flower.FedMedian, fraction_train=0.5)
    assert "with 2 replies a round" in weakness(strategy, always_available, 4, 3, 0)
    assert not weakness(
        built(
            flower.FedMedian,
            fraction_train=0.5,
        ),
        always_available,
        6,
        3,
        0,
    )
    everyone, nobody = np.ones(6, bool), np.zeros(6, bool)
    leaving = Presence(everyone, np.arange(6) > 0)  # one of them stays to the end
    warning = weakness(built(flower.FedMedian), lambda: iter([no_dropout(everyone), leaving]), 6, 2, 0)
    assert "with 1 reply in round 2" in warning
    left_out = no_dropout(nobody)  # a round in which nobody is there leaves the model as it was
    assert not weakness(built(flower.FedMedian), lambda: iter([no_dropout(everyone), left_out]), 6, 2, 0)


def test_a_trimmed_mean_that_withstands_a_share_is_within_the_honest_values() -> None:
    """With as many wild values as are withstood the mean stays among the others, with more it does not."""
    for beta, replies in ((0.2, 5), (0.25, 4), (0.4, 9)):
        wild = withstands(built(flower.FedTrimmedAvg, beta=beta), replies)
        assert wild is not None
        values = np.array([1e9] * wild + [float(value) for value in range(replies - wild)])
        assert 0 <= flower.fedtrimmedavg.trim_mean(values, beta) <= replies
        more = np.array([1e9] * (wild + 1) + [0.0] * (replies - wild - 1))
        assert flower.fedtrimmedavg.trim_mean(more, beta) > replies


def test_a_run_warns_of_a_weak_strategy(caplog: pytest.LogCaptureFixture) -> None:
    options = ("baseline=false", "display=off", "backend=inline", "rounds=1", "model.hidden=[]")
    with caplog.at_level(logging.WARNING):
        run(compose(*options, "strategy=fedtrimmedavg"))
    assert "FedTrimmedAvg with 4 replies a round withstands no malicious actor" in caplog.text
    with pytest.raises(WeakStrategyError, match="take more actors"):
        run(compose(*options, "strategy=bulyan", "strategy.num_malicious_nodes=1"))
