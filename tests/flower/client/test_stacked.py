"""Small clients answered together send what each would send alone."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict

from fedlocal.actors import ActorRequest, Outcome, Wire, raw
from fedlocal.data import Partition, Rows, Shards, Slices
from fedlocal.data.skew import NoSkew
from fedlocal.flower.client.default_client import DefaultApp
from fedlocal.flower.client.local_training import LOSS_BEFORE
from fedlocal.flower.compat import private
from fedlocal.flower.messages.arrays import array_record
from fedlocal.flower.messages.codec import (
    decode_content,
    decode_request,
    encode_content,
    encode_reply,
    encode_request,
    pack_state,
    unpack_state,
)
from fedlocal.flower.node.client_runner import ClientActors, ClientRunner, node_of
from fedlocal.models import MLP
from fedlocal.models.training_run import NewModel, Training
from fedlocal.seeds import Stream, generator

TRAINING = Training(seed=5, batch_size=4, local_epochs=2)
NEW_MODEL = NewModel(partial(MLP, hidden=[6], learning_rate=0.1), inputs=4, outputs=3, classes=True, seed=5)
SIZES = [9, 9, 9, 9, 5, 9]


@pytest.fixture
def slices() -> Iterator[Slices]:
    rng, owner = np.random.default_rng(0), np.repeat(np.arange(len(SIZES)), SIZES)
    rows = Rows(rng.random((len(owner), 4), dtype=np.float32), rng.integers(3, size=len(owner)))
    skew_draw, held_out_draw = (partial(generator, 5, stream) for stream in (Stream.SKEW, Stream.HELD_OUT))
    with Shards.create(rows, Partition.from_owner(owner, len(SIZES))) as shards:
        yield Slices(shards, NoSkew(), (4,), 0.0, skew_draw, held_out_draw)


def actors(slices: Slices, training: Training = TRAINING, new_model: NewModel = NEW_MODEL) -> ClientActors:
    def start() -> ClientRunner:
        return ClientRunner(DefaultApp(slices, new_model, training), len(SIZES), 5, 1)

    return ClientActors(start)


def requests(kinds: Sequence[str] = ("train",) * len(SIZES), **options: float | bool) -> list[ActorRequest]:
    private.become_server(1)
    values = ConfigRecord({"server-round": 3, **options})
    content = RecordDict({"arrays": array_record(NEW_MODEL().arrays), "config": values})
    header, arrays = encode_content(content)
    made = []
    for partition, kind in enumerate(kinds):
        message = Message(content, node_of(partition), kind)
        private.stamped(message, f"{partition}:1")
        made.append(ActorRequest(partition, Wire(header, encode_request(message), arrays), b""))
    return made


def as_bytes(outcome: Outcome) -> tuple[bytes, bytes, list[bytes], bytes]:
    reply, state = outcome
    return reply.header, reply.body, [bytes(raw(array)) for array in reply.arrays], state


@pytest.mark.parametrize("options", [{}, {"proximal-mu": 0.5}, {LOSS_BEFORE: True, "proximal-mu": 0.0}])
def test_the_replies_of_a_stack_have_the_bits_of_clients_asked_alone(
    slices: Slices, options: dict[str, Any]
) -> None:
    behaviour, some = actors(slices), requests(**options)[:4]
    assert behaviour.stack_size(requests(**options)) == 4  # the fifth has other rows
    alone = [as_bytes(behaviour.handle(request.actor, request.message, request.state)) for request in some]
    assert [as_bytes(outcome) for outcome in behaviour.handle_stack(some)] == alone


@pytest.mark.parametrize("keep", [False, True])
def test_a_worker_answers_as_the_app_does_and_keeps_the_same_state(slices: Slices, keep: bool) -> None:
    momentum = replace(NEW_MODEL, factory=partial(MLP, hidden=[6], momentum=0.9))
    training, state = replace(TRAINING, keep_optimizer=keep), b""
    behaviour, app = actors(slices, training, momentum), DefaultApp(slices, momentum, training)
    request = requests()[2]
    for _ in range(2):
        node_config: Any = {"partition-id": 2, "num-partitions": len(SIZES)}
        context = Context(1, node_of(2), node_config, unpack_state(state), {})
        content = decode_content(request.message.header, request.message.arrays)
        answer = app(decode_request(request.message.body, content), context).content
        expected = as_bytes((encode_reply(answer), pack_state(context.state)))
        reply, state = behaviour.handle(2, request.message, state)
        assert as_bytes((reply, state)) == expected
        assert bool(state) is keep


def test_only_equal_requests_to_train_are_answered_together(slices: Slices) -> None:
    behaviour = actors(slices)
    assert behaviour.stack_size(requests(["train", "train", "evaluate", "train"])) == 2
    assert behaviour.stack_size(requests(["train", "train.other", "train"])) == 1
    assert behaviour.stack_size(requests(["evaluate", "evaluate"])) == 1
    with_state = requests()
    with_state[1] = replace(with_state[1], state=b"something")
    assert behaviour.stack_size(with_state) == 1
    assert behaviour.stack_size([*requests()[:2], *requests()[2:]]) == 2


@pytest.mark.parametrize(
    ("training", "new_model"),
    [
        (replace(TRAINING, accumulate=2), NEW_MODEL),
        (replace(TRAINING, keep_optimizer=True), NEW_MODEL),
        (TRAINING, replace(NEW_MODEL, factory=partial(MLP, hidden=[6], momentum=0.9))),
        (TRAINING, replace(NEW_MODEL, factory=partial(MLP, hidden=[1000, 1000]))),
    ],
)
def test_a_message_that_a_stack_cannot_train_is_answered_alone(
    slices: Slices, training: Training, new_model: NewModel
) -> None:
    assert actors(slices, training, new_model).stack_size(requests()) == 1
