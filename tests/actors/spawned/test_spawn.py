"""Actors that users spawn: one behavioural suite for every kind of system."""

import asyncio
import logging
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fedlocal
from fedlocal.actors import (
    ActorError,
    ActorRef,
    ActorSystem,
    ActorSystemError,
    Down,
    Envelope,
    Failure,
    InlineSystem,
    MailboxFull,
)
from fedlocal.actors.spawned.transport import PostedMessage
from tests.actors.behaviours import Echo
from tests.actors.spawned.spawnable import (
    Counter,
    DiesOnce,
    Endless,
    HalfSlots,
    Keeper,
    Log,
    Matrix,
    Names,
    Outside,
    Parent,
    Pinger,
    Refuses,
    Ring,
    Slots,
    Views,
    Watcher,
    double,
    from_a_process,
    pieces,
    start_method,
    wait_for,
    where,
)

pytestmark = pytest.mark.usefixtures("no_leaks")
System = ActorSystem | InlineSystem
SECONDS = 300


def forkserver() -> System:
    return ActorSystem(workers=2, method="forkserver")


def spawn() -> System:
    return ActorSystem(workers=2, method="spawn")


def without_memfd() -> System:
    """As on macOS and Windows."""
    return forkserver()


SLOW = [pytest.param(how, marks=pytest.mark.slow) for how in (without_memfd, spawn)]


@pytest.fixture(params=[InlineSystem, forkserver, *SLOW])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    if request.param is without_memfd:
        monkeypatch.setattr("fedlocal.memory.block.HAS_MEMFD", False)
    with request.param() as opened:
        yield opened


def failure(answer: Future[Any]) -> ActorError:
    error = answer.exception(SECONDS)
    assert isinstance(error, ActorError), error
    return error


def eventually(log: ActorRef, count: int) -> list[Any]:
    """Ask a `Log` until it has seen so many messages: what actors tell each other nobody waits for."""
    deadline = time.monotonic() + SECONDS
    while len(seen := log.ask(None).result(SECONDS)) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    return list(seen)


# Messages, answers, state


def test_an_actor_answers_from_the_state_that_its_messages_left(system: System) -> None:
    counter, other = system.spawn(Counter, 5), system.spawn(Counter, total=-1)
    answers = [counter.ask(number) for number in (1, 2, 3)]
    other.tell(10)
    assert [answer.result(SECONDS) for answer in answers] == [6, 8, 11]
    assert other.ask(0).result(SECONDS) == 9


def test_a_function_and_a_partial_are_behaviours_too(system: System) -> None:
    assert system.spawn(double).ask([1, 2]).result(SECONDS) == [1, 2, 1, 2]
    assert system.spawn(partial(_scaled, 3)).ask(2).result(SECONDS) == 6


def _scaled(factor: int, message: int, context: Any) -> int:
    return factor * message


def test_functions_of_a_test_travel_by_value(system: System) -> None:
    offset = 10
    assert system.spawn(lambda message, context: message + offset).ask(1).result(SECONDS) == 11


def test_an_exception_goes_to_the_caller_and_the_actor_lives_as_it_was_before(system: System) -> None:
    counter = system.spawn(Counter, 5, name="counter")
    error = failure(counter.ask("fail"))
    assert (error.actor, error.cause) == ("actor 'counter'", "exception")
    assert str(error) == "actor 'counter': ValueError: no such number"
    assert 'raise ValueError("no such number")' in error.traceback
    assert error.__notes__ == [f"In actor 'counter':\n{error.traceback}"]
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301
    assert counter.ask(1).result(SECONDS) == 6


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("hide", r"vars\(self\)\['lock'\] is no plain value but a _thread.lock.*starts with _ need not"),
        ("reply_badly", r"reply\[1\] is no plain value but a builtins.object"),
        ("wait", "an actor never waits"),
    ],
)
def test_a_forbidden_action_is_the_actors_exception_and_leaves_its_state(
    system: System, order: str, said: str
) -> None:
    counter = system.spawn(Counter, 5)
    assert re.search(said, str(failure(counter.ask(order))))
    assert counter.ask(1).result(SECONDS) == 6


def test_the_result_of_a_message_that_was_told_may_be_anything(system: System) -> None:
    log = system.spawn(lambda message, context: object())
    log.tell(1)
    assert "reply is no plain value" in str(failure(log.ask(1)))


def test_a_message_that_is_not_plain_is_refused_where_it_is_sent(system: System) -> None:
    counter = system.spawn(Counter)
    for send in (counter.tell, counter.ask):
        with pytest.raises(TypeError, match=r"message\['a'\] is no plain value but a _thread.lock"):
            send({"a": threading.Lock()})
    assert counter.ask(1).result(SECONDS) == 1


def test_an_actor_that_cannot_be_made_says_so_to_those_who_ask(system: System) -> None:
    actor = system.spawn(Refuses)
    for _ in range(2):
        assert "RuntimeError: not today" in str(failure(actor.ask(1)))


def test_big_arrays_are_state_and_replies_and_what_is_private_is_made_anew(system: System) -> None:
    size = 1 << 16
    actors = [system.spawn(Matrix, size) for _ in range(3)]
    answers = [actor.ask(np.full(size, float(k))) for _ in range(4) for k, actor in enumerate(actors)]
    results = [answer.result(SECONDS) for answer in answers]
    assert [float(result[-1]) for result in results] == [k * turn for turn in (1, 2, 3, 4) for k in range(3)]
    assert not results[0].flags.writeable


def test_an_array_that_came_with_a_message_stays_read_only_also_after_an_exception(system: System) -> None:
    keeper = system.spawn(Keeper)
    assert keeper.ask(None).result(SECONDS) == (True, 0.0)
    assert keeper.ask(np.ones(4)).result(SECONDS) == (False, 4.0)
    failure(keeper.ask("not an array"))  # the object is made again from its state
    assert keeper.ask(None).result(SECONDS) == (False, 4.0)


@pytest.mark.parametrize(
    ("shared", "where"),
    [
        ("view", "_buffer"),
        ("reversed", "_buffer"),
        ("read", "_buffer"),
        ("array", "_model.weights"),
        ("list", "_model.lists['rows'][0]"),
        ("class", "Outside.common"),
        ("queue", "_queue"),
        ("function", "_function"),
        ("bound method", "_append"),
        ("iterator", "_iterator"),
        ("objects", "_objects"),
        ("memory", "_memory"),
    ],
)
def test_state_that_shares_memory_with_something_outside_it_is_refused_by_name(
    system: System, shared: str, where: str
) -> None:
    actor = system.spawn(Outside)
    assert f"vars(self) shares what is in {where} with it" in str(failure(actor.ask(shared)))
    assert actor.ask("copy").result(SECONDS) == "copy"


def test_state_that_contains_itself_is_refused_by_name(system: System) -> None:
    assert "vars(self)['items'][0]" in str(failure(system.spawn(Endless).ask(1)))


def test_behaviours_that_cannot_work_are_refused_at_once(system: System) -> None:
    with pytest.raises(TypeError, match="object needs a method receive"):
        system.spawn(object)
    with pytest.raises(TypeError, match="unexpected keyword argument 'start'"):
        system.spawn(Counter, start=1)
    for kept in (Slots, HalfSlots):
        with pytest.raises(TypeError, match="__slots__"):
            system.spawn(kept)
    with pytest.raises(TypeError, match="a function has no state"):
        system.spawn(double, 1)
    with pytest.raises(TypeError, match="is a class or a function, not 3"):
        system.spawn(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_mailbox must be at least 1, got 0"):
        system.spawn(Counter, max_mailbox=0)


def test_a_future_may_be_awaited(system: System) -> None:
    counter = system.spawn(Counter)

    async def both() -> list[int]:
        return list(await asyncio.gather(*(asyncio.wrap_future(counter.ask(number)) for number in (1, 2))))

    assert asyncio.run(both()) == [1, 3]


def test_a_cancelled_answer_is_dropped(system: System) -> None:
    if isinstance(system, InlineSystem):
        pytest.skip("answers at once")
    counter = system.spawn(Counter)
    answer = counter.ask(1)
    cancelled = answer.cancel()
    assert counter.ask(1).result(SECONDS) == 2
    assert answer.cancelled() == cancelled


def test_callbacks_of_answers_may_send_more(system: System) -> None:
    log = system.spawn(Log)
    system.spawn(Counter).ask(1).add_done_callback(lambda answer: log.tell(answer.result()))
    assert eventually(log, 1) == [(None, 1)]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
def test_a_callback_that_raises_ends_nothing(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    def end(_: Future[Any]) -> None:
        raise error

    with ActorSystem(workers=1) as system:
        counter = system.spawn(Counter)
        for answer in (counter.ask(1), counter.ask("fail"), system.monitor(counter)):
            answer.add_done_callback(end)
        assert counter.ask(1).result(SECONDS) == 2
        counter.stop()
        assert system.spawn(Counter).ask(1).result(SECONDS) == 1
    assert caplog.text.count("a callback of an answer raised") >= 2


def test_processes_of_actors_start_as_those_of_the_system_do(system: System) -> None:
    assert system.spawn(start_method).ask(None).result(SECONDS) == multiprocessing.get_start_method()


@pytest.mark.skipif(sys.platform != "linux" or sys.version_info >= (3, 14), reason="processes are not forked")
def test_a_process_of_an_actor_runs_what_does_not_pickle(system: System) -> None:
    answers = [system.spawn(from_a_process).ask(number) for number in range(2)]
    assert [answer.result(SECONDS) for answer in answers] == [1, 2]


def test_an_actor_may_reply_with_very_many_parts(system: System) -> None:
    assert system.spawn(pieces).ask(200_000).result(SECONDS) == [b"x"] * 200_000


def test_a_reply_of_too_many_parts_is_an_error_that_costs_no_worker() -> None:
    with ActorSystem(workers=1) as system:
        before = system.processes()
        assert "600000 arrays or byte strings; at most 524288" in str(
            failure(system.spawn(pieces).ask(600_000))
        )
        assert system.processes() == before


def test_messages_of_one_sender_arrive_in_their_order_whatever_other_threads_send(system: System) -> None:
    log = system.spawn(Log)

    def send(number: int) -> None:
        for turn in range(100):
            log.tell((number, turn))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = [message for _, message in eventually(log, 800)]
    for number in range(8):
        assert [turn for sender, turn in seen if sender == number] == list(range(100))


# Actors talk to each other


def test_actors_play_ping_pong_without_end_of_the_stack(system: System) -> None:
    turns = 20_000 if isinstance(system, InlineSystem) else 500
    end = system.spawn(Log, name="end")
    ping, pong = system.spawn(Pinger), system.spawn(Pinger)
    ping.tell((pong, turns))
    (((sender, message),)) = eventually(end, 1)
    assert message == "over"
    assert sender in (ping, pong)


def test_a_ring_of_actors_grows_itself(system: System) -> None:
    end = system.spawn(Log)
    system.spawn(Ring, 30, None, end).tell([])
    ((_, numbers),) = eventually(end, 1)
    assert numbers == [*range(30, 0, -1), 0]


def test_an_actor_spawned_by_an_actor_is_like_any_other(system: System) -> None:
    parent = system.spawn(Parent)
    first, second = (parent.ask((None, False)).result(SECONDS) for _ in range(2))
    assert first != second
    assert [first.ask(1).result(SECONDS), second.ask(2).result(SECONDS)] == [9, 10]


def test_a_message_that_fails_leaves_nothing_behind(system: System, caplog: pytest.LogCaptureFixture) -> None:
    parent = system.spawn(Parent)
    failure(parent.ask(("child", True)))
    with pytest.raises(LookupError, match="no actor is named 'child'; names are none"):
        system.find("child")
    child = parent.ask(("child", False)).result(SECONDS)
    assert system.find("child") == child
    assert child.ask(0).result(SECONDS) == 8
    assert not caplog.records


def test_references_are_values(system: System) -> None:
    counter, other = system.spawn(Counter, name="counter"), system.spawn(Counter)
    assert pickle.loads(pickle.dumps(counter)) == counter == system.find("counter")  # noqa: S301
    assert len({counter, other, system.find("counter")}) == 2
    log = system.spawn(Log)
    log.tell({"refs": (counter, other)})
    ((_, message),) = eventually(log, 1)
    assert message["refs"] == (counter, other)
    assert message["refs"][0].ask(3).result(SECONDS) == 3
    assert str(counter) == "actor 'counter'"
    assert str(other) == "actor 2"


def test_a_reference_without_a_system_says_so(system: System) -> None:
    stray = pickle.loads(pickle.dumps(system.spawn(Counter)))  # noqa: S301
    with pytest.raises(RuntimeError, match="actor 1 can only be reached from its system, or while an actor"):
        stray.tell(1)


# Names, ends, monitors


def test_a_name_has_one_living_owner(system: System, caplog: pytest.LogCaptureFixture) -> None:
    first = system.spawn(Counter, name="counter")
    with pytest.raises(ValueError, match="actor 'counter': another actor has this name"):
        system.spawn(Counter, name="counter")
    refused = system.spawn(Parent).ask(("counter", False)).result(SECONDS)
    assert failure(refused.ask(1)).cause == "stopped"
    assert ["another actor has this name" in record.message for record in caplog.records] == [True, False]
    first.stop()
    second = system.spawn(Counter, name="counter")
    assert system.find("counter") == second != first


def test_stop_lets_waiting_messages_pass_and_refuses_later_messages(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    counter = system.spawn(Counter)
    before = [counter.ask(1) for _ in range(10)]
    counter.stop()
    counter.stop()
    error = failure(counter.ask(1))
    assert (error.cause, str(error)) == ("stopped", "actor 1: there is no such actor, or no longer")
    counter.tell(1)
    assert [answer.result(SECONDS) for answer in before] == list(range(1, 11))
    assert system.monitor(counter).result(SECONDS) == Down(counter, "stopped")
    assert [record.message for record in caplog.records] == [f"a message was lost: {error}"]
    assert system.states() == {}


def test_an_actor_may_end_itself(system: System) -> None:
    counter = system.spawn(Counter, 1)
    gone = system.monitor(counter)
    assert counter.ask("end").result(SECONDS) == "going"
    assert gone.result(SECONDS) == Down(counter, "stopped")


def test_actors_hear_of_the_end_of_the_actors_they_watch(system: System) -> None:
    log = system.spawn(Log)
    watcher, counter = system.spawn(Watcher, log), system.spawn(Counter)
    watcher.ask(counter).result(SECONDS)
    counter.stop()
    assert [message for _, message in eventually(log, 1)] == [(counter, "stopped")]
    watcher.tell(counter)  # which is gone already
    assert [message for _, message in eventually(log, 2)] == [(counter, "stopped")] * 2


def test_closing_the_system_ends_all_actors(system: System) -> None:
    counter = system.spawn(Counter)
    gone = system.monitor(counter)
    system.close()
    assert gone.result(0) == Down(counter, "closed")
    for call in (
        lambda: counter.tell(1),
        lambda: counter.ask(1),
        counter.stop,
        lambda: system.spawn(Counter),
    ):
        with pytest.raises(ActorSystemError, match="closed"):
            call()


def test_a_system_with_one_behaviour_spawns_no_other_behaviours() -> None:
    with InlineSystem(Echo) as system, pytest.raises(TypeError, match=r"use ActorSystem\(\)"):
        system.spawn(Counter)


# Limits, lost messages


def test_a_message_that_nobody_waits_for_and_that_fails_is_logged(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    counter = system.spawn(Counter, name="counter")
    counter.tell("fail")
    counter.ask(0).result(SECONDS)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("fedlocal.actors", logging.WARNING)
    assert record.message == "a message was lost: actor 'counter': ValueError: no such number"


def test_lost_messages_do_not_flood_the_log(system: System, caplog: pytest.LogCaptureFixture) -> None:
    counter = system.spawn(Counter)
    for _ in range(150):
        counter.tell("fail")
    counter.ask(0).result(SECONDS)
    assert len(caplog.records) == 101
    assert caplog.records[-1].message == "further lost messages are not logged"


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[tuple[ActorSystem, ActorRef, Callable[[], None]]]:
    """Open a system with an actor that is busy until it is let go and has room for two more messages."""
    gate = tmp_path / "gate"
    with ActorSystem(workers=1) as system:
        actor = system.spawn(wait_for, name="busy", max_mailbox=3)
        actor.tell(str(gate))
        while not gate.with_suffix(".waiting").exists():
            time.sleep(0.01)  # in another process: nothing to wait on
        yield system, actor, gate.touch
        gate.touch()


def test_a_full_mailbox_refuses_what_comes_from_outside(
    busy: tuple[ActorSystem, ActorRef, Callable[[], None]], tmp_path: Path
) -> None:
    _, actor, let_go = busy
    accepted = [actor.ask(str(tmp_path / "gate")) for _ in range(2)]
    for send in (actor.tell, actor.ask):
        with pytest.raises(MailboxFull, match="actor 'busy': 3 messages wait for it already") as refusal:
            send("more")
        assert refusal.value.cause == "mailbox"
    let_go()
    assert not wait(accepted, SECONDS).not_done
    actor.ask(str(tmp_path / "gate")).result(SECONDS)


def test_a_full_mailbox_loses_what_comes_from_actors(caplog: pytest.LogCaptureFixture) -> None:
    with InlineSystem() as system:  # in which actors handle messages one after another
        log = system.spawn(Log, max_mailbox=2)
        system.spawn(lambda message, context: [message.tell(turn) for turn in range(5)]).tell(log)
        assert [message for _, message in eventually(log, 2)] == [0, 1]
    assert [record.message for record in caplog.records] == [
        "a message was lost: actor 1: 2 messages wait for it already"
    ] * 3


def test_whoever_waits_for_an_answer_hears_that_the_system_closed(
    busy: tuple[ActorSystem, ActorRef, Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    system, actor, _ = busy
    waiting = actor.ask("never")
    actor.tell("never")
    system.close(grace=0)
    with pytest.raises(ActorSystemError, match="closed"):
        waiting.result(SECONDS)
    assert [record.message for record in caplog.records] == [
        "2 messages waited for actors when their system ended"
    ]


# What only worker processes can do


def test_actors_run_in_workers_and_move_between_them_with_their_state() -> None:
    with ActorSystem(workers=2) as system:
        places = system.spawn(where), system.spawn(where)
        pids = {actor.ask(None).result(SECONDS) for _ in range(20) for actor in places}
        assert len(pids) <= 2
        counters = [system.spawn(Counter) for _ in range(10)]
        last = [[counter.ask(1) for counter in counters] for _ in range(20)][-1]
        assert [answer.result(SECONDS) for answer in last] == [20] * 10


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("behaviour", [Views, Names])
def test_an_object_with_two_names_in_an_actor_stays_one_object_wherever_the_actor_runs(
    behaviour: type,
) -> None:
    with InlineSystem() as alone:
        actor = alone.spawn(behaviour)
        expected = [actor.ask(float(number)).result(SECONDS) for number in range(8)]
    with ActorSystem(workers=2) as system:
        actors = [system.spawn(behaviour) for _ in range(5)]  # not a multiple: they move
        for number in range(8):
            answers = [actor.ask(float(number)) for actor in actors]
            for answer in answers:
                np.testing.assert_equal(answer.result(SECONDS), expected[number])
            if number % 3 == 2:  # made again from their states
                for process in system.processes():
                    os.kill(process, signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_actor_outlives_its_worker_and_its_actions_take_effect_once(tmp_path: Path) -> None:
    with ActorSystem(workers=2) as system:
        log = system.spawn(Log)
        actor = system.spawn(DiesOnce, log, str(tmp_path / "died"))
        answers = [actor.ask(message) for message in ("first", "once", "always", "last")]
        assert [answer.result(SECONDS) for answer in (answers[0], answers[1])] == [1, 2]
        assert failure(answers[2]).cause == "crash"
        assert answers[3].result(SECONDS) == 3
        seen = [message for _, message in eventually(log, 3)]
        assert [message for message, _ in seen] == ["first", "once", "last"]
        assert [child.ask(0).result(SECONDS) for _, child in seen] == [1, 2, 3]


def test_a_forgotten_system_ends_though_references_to_its_actors_are_left() -> None:
    system = ActorSystem(workers=1)
    counter = system.spawn(Counter)
    gone = system.monitor(counter)
    assert counter.ask(1).result(SECONDS) == 1
    del system
    assert gone.result(SECONDS) == Down(counter, "closed")
    with pytest.raises(ActorSystemError, match="closed"):
        counter.tell(1)


def test_a_script_needs_no_main_guard_and_no_module() -> None:
    script = textwrap.dedent(
        """
        from fedlocal.actors import ActorSystem

        FACTOR = 3

        class Scale:
            def __init__(self, offset):
                self.offset = offset
            def receive(self, message, context):
                if message:
                    return FACTOR * message + self.offset
                return context.spawn(Scale, self.offset + 1)

        with ActorSystem(workers=2) as system:
            scale = system.spawn(Scale, 1)
            print(scale.ask(2).result(), scale.ask(0).result().ask(2).result())
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True
    )
    assert (done.stdout, done.stderr) == ("7 8\n", "")


def test_the_package_offers_what_users_need() -> None:
    assert fedlocal.ActorSystem is ActorSystem
    assert fedlocal.ActorRef is ActorRef


def test_each_posted_message_has_one_result_even_if_another_comes_after_the_system_failed() -> None:
    results: list[Any] = []
    posted = PostedMessage(Envelope(1), results.append)
    posted.fail(ActorSystemError("all is lost"))
    assert not posted.settle(0, Failure(1, "exception", "too late"))
    posted.fail(ActorSystemError("again"))
    assert [str(result) for result in results] == ["all is lost"]
