"""fedlocal's own client app, called as any engine of Flower's would call it."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from fedlocal.data import Partition, Rows, Shards, Slices
from fedlocal.data.skew import NoSkew
from fedlocal.flower.client.default_client import DefaultApp
from fedlocal.flower.compat import private
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.models import MLP, train
from fedlocal.models.training_run import NewModel, Training
from fedlocal.seeds import Stream, generator

TRAINING = Training(seed=5, batch_size=8)
NEW_MODEL = NewModel(partial(MLP, hidden=[6], learning_rate=0.1), inputs=4, outputs=3, classes=True, seed=5)
MOMENTUM = replace(NEW_MODEL, factory=partial(MLP, hidden=[6], learning_rate=0.1, momentum=0.9))


@pytest.fixture
def shards() -> Iterator[Shards]:
    rng = np.random.default_rng(0)
    rows = Rows(rng.random((50, 4), dtype=np.float32), rng.integers(3, size=50))
    with Shards.create(rows, Partition.from_owner(np.arange(50) % 2, 2)) as opened:
        yield opened


def slices(shards: Shards, held_out: float = 0.0) -> Slices:
    skew_draw, held_out_draw = (partial(generator, 5, stream) for stream in (Stream.SKEW, Stream.HELD_OUT))
    return Slices(shards, NoSkew(), (4,), held_out, skew_draw, held_out_draw)


def new_context(partition: int) -> Context:
    return Context(1, 2, {"partition-id": partition}, RecordDict(), {})


def call(
    app: ClientApp,
    kind: str = "train",
    *,
    partition: int = 1,
    number: int = 1,
    mu: float = 0.0,
    context: Any = None,
) -> Message:
    private.become_server(1)
    config = ConfigRecord({"server-round": number, "proximal-mu": mu})
    content = RecordDict({"arrays": array_record(NEW_MODEL().arrays), "config": config})
    return app(Message(content, 2, kind), context or new_context(partition))


def result(reply: Message) -> dict[str, Any]:
    record = reply.content["arrays"]
    assert isinstance(record, ArrayRecord)
    return {name: array.copy() for name, array in ndarrays(record).items()}


def test_a_client_trains_on_its_rows_in_the_order_that_seed_partition_and_round_choose(
    shards: Shards,
) -> None:
    reply = call(DefaultApp(slices(shards), NEW_MODEL, TRAINING), partition=1, number=3)
    expected, rows = NEW_MODEL(), shards.open(1)
    rng = generator(5, Stream.BATCHES, 1, 3)
    loss = train(expected, rows.x, rows.y, batch_size=8, epochs=1, rng=rng)
    for name, array in result(reply).items():
        assert array.tobytes() == expected.arrays[name].tobytes()
    assert reply.content["metrics"] == {"num-examples": 25, "train-loss": loss}


def test_a_call_leaves_nothing_for_the_next_call(shards: Shards) -> None:
    app = DefaultApp(slices(shards), MOMENTUM, TRAINING)
    first = result(call(app, partition=0))
    call(app, partition=1, mu=5.0)
    again = result(call(app, partition=0))
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)


def distance(reply: Message) -> float:
    start = NEW_MODEL().arrays
    return float(sum(np.square(array - start[name]).sum() for name, array in result(reply).items()))


def test_the_proximal_term_keeps_the_client_near_the_global_model(shards: Shards) -> None:
    app = DefaultApp(slices(shards), NEW_MODEL, replace(TRAINING, local_epochs=5))
    free, held = distance(call(app)), distance(call(app, mu=5.0))
    assert 0 < held < free / 2


def test_kept_momentum_lives_in_the_clients_state_and_reset_momentum_does_not(shards: Shards) -> None:
    for keep in (True, False):
        app, context = (
            DefaultApp(slices(shards), MOMENTUM, replace(TRAINING, keep_optimizer=keep)),
            new_context(0),
        )
        first, second = (result(call(app, context=context)) for _ in range(2))
        assert ("optimizer" in context.state) is keep
        assert np.array_equal(first["layer0.weight"], second["layer0.weight"]) is not keep


def test_a_client_evaluates_on_the_rows_that_it_holds_out(shards: Shards) -> None:
    reply = call(DefaultApp(slices(shards, 0.2), NEW_MODEL, TRAINING), "evaluate", partition=1)
    held_out = slices(shards, 0.2).open(1).held_out
    evaluation = NEW_MODEL().evaluate(held_out.x, held_out.y)
    expected = {"num-examples": 5, "loss": evaluation.loss, "accuracy": evaluation.accuracy}
    assert reply.content["metrics"] == expected


def test_every_process_makes_the_same_model() -> None:
    first, second = NEW_MODEL().vector, NEW_MODEL().vector  # type: ignore[attr-defined]
    assert first.tobytes() == second.tobytes()
    assert first is not second
