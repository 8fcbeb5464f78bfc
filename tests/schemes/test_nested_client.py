"""A client with actors of its own is a client like any other, and the batch queue in it changes no bit."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from fedlocal import compose
from fedlocal.config.schema import ConfigError
from fedlocal.experiment.groups import build_groups
from fedlocal.experiment.setup import prepare
from fedlocal.flower.client.clients import Client, DefaultClient
from fedlocal.flower.server.round_loop import QuorumError
from fedlocal.results import Round, weights_hash
from fedlocal.schemes.federated import federated
from fedlocal.schemes.nested_client import Nested, NestedTraining

SETTING = ("actors=2", "rounds=2", "batch_size=64", "model.hidden=[8]", "display=off", "seed=3")


def trained(client: Client, *options: str) -> tuple[str, list[Round]]:
    config, rounds = compose(*SETTING, "backend=inline", *options), list[Round]()
    setting = prepare(config, build_groups(config))

    def note(round_: Round, capture: Any) -> None:
        rounds.append(round_)

    with setting.slices.shards:
        model = federated(replace(setting, client=client), note)
    return weights_hash(model.arrays), rounds


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_batch_queue_in_a_client_has_the_bits_of_a_plain_client(workers: int) -> None:
    options = ("accumulate=2", "local_epochs=2")
    plain, before = trained(DefaultClient(), *options)
    nested, after = trained(Nested(actors=2, workers=workers), *options)
    assert nested == plain
    assert after[-1].metrics == before[-1].metrics


@pytest.mark.slow
def test_a_federation_in_a_client_learns_and_has_the_same_bits_each_time() -> None:
    client, options = partial(Nested, scheme="federated", actors=3), ("local_epochs=3", "batch_size=8")
    (first, rounds), (other, _) = (trained(client(workers=count), *options) for count in (1, 2))
    assert first == other != trained(DefaultClient(), *options)[0]
    assert rounds[-1].metrics["accuracy"] > 0.5
    assert [measured["num-examples"] for measured in rounds[-1].actors.values()] == [719, 719]


def test_rows_that_lie_by_class_are_divided_at_random_among_a_clients_actors() -> None:
    nested = Nested(scheme="federated", actors=3)
    parts: Any = {"scheme": None, "new_model": None, "backend": None}
    training = NestedTraining(3, 8, client=nested, **parts)
    labels = np.repeat(np.arange(10), 30)
    first, again, other = (training._divided(300, partition) for partition in (0, 0, 1))
    assert first.sizes.tolist() == [100] * 3
    for actor in range(3):
        assert len(np.unique(labels[first.indices(actor)])) == 10
        np.testing.assert_array_equal(first.indices(actor), again.indices(actor))
        assert not np.array_equal(first.indices(actor), other.indices(actor))
    assert training._divided(2, 0).sizes.tolist() == [1, 1]


def test_an_option_that_a_nested_client_cannot_keep_is_refused() -> None:
    with pytest.raises(ConfigError, match="optimizer_state=reset"):
        trained(Nested(), "optimizer_state=keep", "model.momentum=0.9")
    with pytest.raises(QuorumError, match="no proximal term"):
        trained(Nested(), "strategy=fedprox", "strategy.proximal_mu=0.5")


@pytest.mark.slow
def test_a_client_may_have_fewer_rows_than_actors() -> None:
    client = Nested(workers=1)
    _, rounds = trained(client, "actors=3", "partition=sizes", "partition.counts=[1400,37,1]", "accumulate=2")
    assert not rounds[-1].errors
    assert np.isfinite(rounds[-1].metrics["loss"])
