"""What a worker does with messages, and the registry with a worker's replies, without either."""

from typing import Any

import pytest

from fedlocal.actors import ActorError, Buffer, Reply, Wire
from fedlocal.actors.batch import Batch
from fedlocal.actors.spawned.actor_messages import (
    ActorMessage,
    MessageKind,
    pack_message,
    pack_origin,
    without_effects,
)
from fedlocal.actors.spawned.behaviour import SpawnedBehaviour
from fedlocal.actors.spawned.registry import ActorRegistry
from fedlocal.memory.buffers import Broadcast
from tests.actors.spawned.spawnable import Counter, Parent

COUNTER, PARENT = pack_origin(Counter, (5,), {}, None), pack_origin(Parent, (), {}, "parent")


def message(made: bytes, content: Any, number: int = 1, kind: MessageKind = MessageKind.ASK) -> Wire:
    return Wire(made, ActorMessage(number, kind, pack_message(content)).body())


def test_a_message_that_is_handled_again_elsewhere_has_the_same_outcome() -> None:
    outcomes = [SpawnedBehaviour().handle(9, message(PARENT, (None, False), 3), b"") for _ in range(2)]
    (reply, state), (again, state_again) = outcomes
    assert (reply.header, reply.body, list(reply.arrays), state) == (
        again.header,
        again.body,
        list(again.arrays),
        state_again,
    )
    effects, _ = without_effects(reply.header, reply.arrays)
    assert [(effect.verb, effect.target) for effect in effects] == [
        ("spawn", (3 << 20) + 1),
        ("tell", (3 << 20) + 1),
    ]


def test_the_state_counts_and_not_the_memory_of_a_worker() -> None:
    here, elsewhere = SpawnedBehaviour(), SpawnedBehaviour()
    _, state = here.handle(1, message(COUNTER, 1), b"")
    _, two = elsewhere.handle(1, message(COUNTER, 1), state)
    assert here.handle(1, message(COUNTER, 0), two)[0].body == b"7"
    assert here.handle(1, message(COUNTER, 0), state)[0].body == b"6"  # as after a death that lost `two`


def test_attributes_that_an_actor_deleted_stay_deleted_wherever_it_runs() -> None:
    _, state = SpawnedBehaviour().handle(1, message(COUNTER, "forget"), b"")
    assert SpawnedBehaviour().handle(1, message(COUNTER, "forget"), state)[0].body == b"[]"


def test_a_state_that_did_not_change_is_not_copied() -> None:
    spawned = SpawnedBehaviour()
    _, before = spawned.handle(1, message(COUNTER, 1), b"")
    _, after = spawned.handle(1, message(COUNTER, 0), before)
    assert after is before


def test_a_worker_keeps_only_so_many_objects_and_makes_the_rest_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fedlocal.actors.spawned.behaviour.MAX_LIVE", 2)
    spawned = SpawnedBehaviour()
    states = dict.fromkeys(range(5), b"")
    for turn in (1, 2):
        for actor in states:
            reply, states[actor] = spawned.handle(actor, message(COUNTER, 1), states[actor])
            assert reply.body == str(5 + turn).encode()
    assert len(spawned._live) == 2


class Desk:
    """A transport that keeps what it is to deliver."""

    def __init__(self) -> None:
        self.delivered: list[Batch] = []
        self.released: list[Broadcast] = []

    def deliver(self, batch: Batch) -> None:
        self.delivered.append(batch)

    def carry_on(self) -> None: ...

    def release(self, content: Broadcast) -> None:
        self.released.append(content)


@pytest.mark.parametrize(
    ("header", "body", "arrays"),
    [
        (b"no json", b"1", []),
        (b'[["tell",1,null,1]]', b"1", []),
        (b'[["tell",[1],null,1]]', b"1", [b""]),
        (b'[["tell"]]', b"1", [b""]),
        (b"", b"no json", []),
        (b"", b'{"pickle":1}', [b""]),
        (b"", b'{"array":[7,"<f8",[1],true]}', []),
        (b"", b"[" * 100_000, []),
    ],
)
def test_a_reply_that_no_actor_sends_is_that_messages_error(
    header: bytes, body: bytes, arrays: list[Buffer]
) -> None:
    desk = Desk()
    registry = ActorRegistry(desk)
    answer = registry.spawn(Counter, (), {}, None, 1).ask(1)
    desk.delivered[0].settle(0, Reply(1 << 20, Wire(header, body, arrays), 0.0, 0.0, 0))
    error = answer.exception(0)
    assert isinstance(error, ActorError)
    assert (error.cause, error.actor) == ("protocol", "actor 1")


def test_an_actors_origin_is_given_back_when_it_is_gone() -> None:
    desk = Desk()
    registry = ActorRegistry(desk)
    registry.spawn(Counter, (), {}, None, 1).stop()
    assert not desk.released
    (stop,) = desk.delivered
    stop.settle(0, Reply(1 << 20, Wire(), 0.0, 0.0, 0))
    assert desk.released == [stop.envelopes[0].content]
