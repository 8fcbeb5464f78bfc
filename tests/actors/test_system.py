"""One behavioural suite for every kind of system."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from fedlocal.actors import (
    ActorSystem,
    ActorSystemError,
    Envelope,
    Failure,
    InlineSystem,
    Reply,
    Result,
    System,
    raw,
)
from tests.actors.behaviours import Count, CountAtGate, Double, Echo, Obey, Stacks

Open = Callable[..., System]
pytestmark = pytest.mark.usefixtures("no_leaks")


def inline(start: Callable[[], object]) -> System:
    return InlineSystem(start)  # type: ignore[arg-type]


def forkserver(start: Callable[[], object]) -> System:
    return ActorSystem(start, workers=2, method="forkserver")  # type: ignore[arg-type]


def spawn(start: Callable[[], object]) -> System:
    return ActorSystem(start, workers=2, method="spawn")  # type: ignore[arg-type]


def without_memfd(start: Callable[[], object]) -> System:
    """As on macOS and Windows: all bytes go over the sockets."""
    return forkserver(start)


@pytest.fixture(params=[inline, forkserver, without_memfd, pytest.param(spawn, marks=pytest.mark.slow)])
def open_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    opened: list[System] = []
    if request.param is without_memfd:
        monkeypatch.setattr("fedlocal.memory.block.HAS_MEMFD", False)

    def open_(start: Callable[[], object]) -> System:
        opened.append(request.param(start))
        return opened[-1]

    yield open_
    for system in opened:
        system.close()


def ask(system: System, envelopes: list[Envelope], timeout: float | None = 300) -> list[Result]:
    return system.ask(envelopes, timeout)


def bodies(results: list[Result]) -> list[bytes]:
    assert all(isinstance(result, Reply) for result in results), results
    return [bytes(result.wire.body) for result in results if isinstance(result, Reply)]


def test_each_message_has_one_reply_in_the_order_of_the_envelopes(open_system: Open) -> None:
    results = ask(open_system(Echo), [Envelope(i % 7, str(i).encode(), cost=i % 3) for i in range(50)])
    assert bodies(results) == [str(i).encode() for i in range(50)]
    assert [result.actor for result in results] == [i % 7 for i in range(50)]


def test_an_actor_keeps_its_state_wherever_it_runs_and_handles_messages_in_order(open_system: Open) -> None:
    system = open_system(Count)
    first = bodies(ask(system, [Envelope(actor) for _ in range(5) for actor in range(3)]))
    second = bodies(ask(system, [Envelope(actor) for actor in (2, 1, 0)]))
    assert first == [str(count).encode() for count in range(1, 6) for _ in range(3)]
    assert second == [b"6", b"6", b"6"]


@pytest.mark.parametrize("size", [1, 100, 1 << 18])
def test_arrays_arrive_as_they_were_sent(open_system: Open, size: int) -> None:
    system = open_system(Double)
    sent = np.arange(size, dtype=np.float32)
    content = system.share(b"", [sent])
    results = ask(system, [Envelope(actor, b"", content, reply_bytes=sent.nbytes) for actor in range(5)])
    for actor, result in enumerate(results):
        assert isinstance(result, Reply)
        np.testing.assert_array_equal(
            np.frombuffer(result.wire.arrays[0], dtype=np.float32), 2 * sent + np.float32(actor)
        )
    system.release(content)


def test_a_reply_that_is_kept_is_not_overwritten_by_later_replies(open_system: Open) -> None:
    system = open_system(Double)
    kept = []
    for number in range(4):
        content = system.share(b"", [np.full(1 << 16, number, dtype=np.float32)])
        (result,) = ask(system, [Envelope(0, b"", content, reply_bytes=content.nbytes)])
        assert isinstance(result, Reply)
        kept.append(np.frombuffer(result.wire.arrays[0], dtype=np.float32))
        system.release(content)
        del result
    assert [float(array[0]) for array in kept] == [0, 2, 4, 6]


def test_shared_content_cannot_be_written_by_an_actor(open_system: Open) -> None:
    system = open_system(Obey)
    content = system.share(b"", [np.zeros(1 << 16, dtype=np.float32)])
    (result,) = ask(system, [Envelope(0, b"write", content)])
    assert isinstance(result, Failure)
    assert "read-only" in result.reason
    system.release(content)


def test_an_exception_is_that_messages_result_and_the_actor_lives_on(open_system: Open) -> None:
    system = open_system(Obey)
    failed, fine = ask(system, [Envelope(3, b"raise"), Envelope(3, b"go on")])
    assert isinstance(failed, Failure)
    assert (failed.actor, failed.cause) == (3, "exception")
    assert failed.reason == "ValueError: actor 3 has a reason"
    assert 'raise ValueError(f"actor {actor} has a reason")' in failed.traceback
    assert isinstance(fine, Reply)


def test_states_can_be_carried_over_to_another_system(open_system: Open) -> None:
    first = open_system(Count)
    ask(first, [Envelope(0), Envelope(0), Envelope(7)])
    states = first.states()
    assert states == {0: b"2", 7: b"1"}
    second = open_system(Count)
    second.restore(states)
    assert bodies(ask(second, [Envelope(0), Envelope(7), Envelope(1)])) == [b"3", b"2", b"1"]


def test_a_closed_system_refuses_messages(open_system: Open) -> None:
    system = open_system(Echo)
    system.close()
    with pytest.raises(ActorSystemError, match="closed"):
        ask(system, [Envelope(0)])


def test_a_submitted_message_is_a_future_whose_callback_may_submit_the_next(open_system: Open) -> None:
    system, last = open_system(Echo), Future[Result]()

    def then(future: Future[Result]) -> None:
        reply = future.result()
        assert isinstance(reply, Reply)
        if len(reply.wire.body) == 3:
            last.set_result(reply)
        else:
            system.submit(Envelope(0, bytes(reply.wire.body) + b"x")).add_done_callback(then)

    system.submit(Envelope(0, b"x")).add_done_callback(then)
    reply = last.result(timeout=300)
    assert isinstance(reply, Reply)
    assert reply.wire.body == b"xxx"
    system.close()
    with pytest.raises(ActorSystemError, match="closed"):
        system.submit(Envelope(0)).result(timeout=300)


def test_an_empty_batch_is_done(open_system: Open) -> None:
    assert ask(open_system(Echo), []) == []


def test_many_threads_may_ask_at_the_same_time(open_system: Open) -> None:
    system = open_system(Echo)
    answers: dict[int, list[bytes]] = {}

    def caller(number: int) -> None:
        answers[number] = bodies(ask(system, [Envelope(i, f"{number}.{i}".encode()) for i in range(20)]))

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [f"{number}.{i}".encode() for i in range(20)] for number in range(8)}


# What only worker processes can do


def test_no_workers_are_refused() -> None:
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        ActorSystem(Echo, workers=0)


def test_a_message_without_an_answer_in_time_fails_and_its_late_answer_is_dropped() -> None:
    with ActorSystem(Obey, workers=1) as system:
        hung, waiting = system.ask([Envelope(0, b"hang"), Envelope(1, b"fine")], timeout=0.2)
        assert isinstance(hung, Failure)
        assert isinstance(waiting, Failure)
        assert (hung.cause, waiting.cause) == ("timeout", "timeout")
        assert "no reply within 0.2 s" in hung.reason
        system.close(grace=0)


def test_an_error_on_another_worker_does_not_lose_the_actors_state(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with ActorSystem(CountAtGate, workers=2) as system:
        assert bodies(system.ask([Envelope(0), Envelope(0)])) == [b"1", b"2"]
        blocked = system.post([Envelope(1, str(gate).encode())])  # keeps the worker that holds the state
        while not gate.with_suffix(".waiting").exists():
            time.sleep(0.01)  # in another process: nothing to wait on
        (failed,) = system.ask([Envelope(0, b"raise")], timeout=300)
        assert isinstance(failed, Failure)
        assert bodies(system.ask([Envelope(0)], timeout=300)) == [b"3"]
        gate.touch()
        assert blocked.wait(300)


def test_the_last_reference_may_die_with_commands_under_way() -> None:
    system = ActorSystem(Echo, workers=1)
    assert bodies(system.ask([Envelope(0)])) == [b""]
    (worker,) = system.processes()
    system.release(system.share(b"", [b"x"]))
    system.post([Envelope(0)])
    del system
    assert _gone(worker)


def test_a_retired_actor_finishes_what_it_handles_and_is_forgotten(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with ActorSystem(CountAtGate, workers=1) as system:
        busy = system.post([Envelope(0, str(gate).encode())])
        waiting = system.post([Envelope(0)])
        while not gate.with_suffix(".waiting").exists():
            time.sleep(0.01)  # in another process: nothing to wait on
        system.retire(0)
        assert waiting.wait(300)
        (stopped,) = waiting.results()
        assert isinstance(stopped, Failure)
        assert stopped.cause == "stopped"
        gate.touch()
        assert busy.wait(300)
        assert bodies(busy.results()) == [b"1"]
        assert system.states() == {}
        assert bodies(system.ask([Envelope(0)], timeout=300)) == [b"1"]


def test_workers_come_and_go_while_messages_are_under_way() -> None:
    with ActorSystem(Count, workers=1) as system:
        for time_, workers in enumerate((3, 1, 2), 1):
            batch = system.post([Envelope(actor) for actor in range(200)])
            system.resize(workers)
            assert batch.wait(300)
            assert bodies(batch.results()) == [str(time_).encode()] * 200


def test_a_message_carries_more_arrays_than_one_system_call_takes(open_system: Open) -> None:
    system = open_system(Echo)
    content = system.share(b"", [bytes([i % 256]) for i in range(3000)])
    (result,) = ask(system, [Envelope(0, b"", content)])
    assert isinstance(result, Reply)
    assert [bytes(raw(part))[0] for part in result.wire.arrays] == [i % 256 for i in range(3000)]


def test_a_late_answer_leaves_no_trace_in_the_actors_state(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with ActorSystem(CountAtGate, workers=1) as system:
        (late,) = system.ask([Envelope(0, str(gate).encode())], timeout=0.2)
        assert isinstance(late, Failure)
        gate.touch()  # now it may answer, and count
        assert bodies(system.ask([Envelope(0), Envelope(0)], timeout=300)) == [b"1", b"2"]


def test_workers_are_gone_when_the_system_is_closed() -> None:
    with ActorSystem(Obey, workers=2) as system:
        pids = {int(body) for body in bodies(system.ask([Envelope(i, b"pid") for i in range(20)]))}
        assert all(Path(f"/proc/{pid}").exists() for pid in pids) or sys.platform != "linux"
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_forgotten_system_ends_its_workers() -> None:
    system = ActorSystem(Obey, workers=1)
    (body,) = bodies(system.ask([Envelope(0, b"pid")]))
    del system
    with pytest.raises(ProcessLookupError):
        os.kill(int(body), 0)


SCRIPT = """
import time
from fedlocal.actors import ActorSystem, Envelope
from tests.actors.behaviours import Obey
system = ActorSystem(Obey, workers=2)  # no __main__ guard, no close
pids = {bytes(r.wire.body).decode() for r in system.ask([Envelope(i, b"pid") for i in range(20)])}
print(*pids, flush=True)
"""


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)  # another process's child: nothing to wait on
    return False


def test_a_script_needs_no_main_guard_and_may_forget_to_close() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stderr == ""
    assert all(_gone(int(pid)) for pid in done.stdout.split())


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_no_worker_outlives_a_supervisor_that_is_killed() -> None:
    script = SCRIPT + "system.ask([Envelope(0, b'hang')])\n"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        pids = process.stdout.readline().split()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert pids
    assert all(_gone(int(pid)) for pid in pids)


def test_messages_that_wait_in_a_worker_are_handled_together_where_the_behaviour_can() -> None:
    with ActorSystem(Stacks, workers=1) as system:
        content = system.share(b"", [])
        both = [Envelope(0, b"", content), Envelope(1, b"", content)]
        assert bodies(ask(system, both)) == [b"together", b"together"]
        assert bodies(ask(system, [Envelope(0)])) == [b"alone"]


def test_a_stack_that_fails_is_handled_one_by_one() -> None:
    with ActorSystem(Stacks, workers=1) as system:
        content = system.share(b"", [])
        good, bad = ask(system, [Envelope(0, b"", content), Envelope(1, b"raise", content)])
        assert bodies([good]) == [b"alone"]
        assert isinstance(bad, Failure)
        assert bad.reason == "RuntimeError: as asked"


def test_many_short_messages_share_frames_and_each_actor_still_counts_its_messages(open_system: Open) -> None:
    system = open_system(Count)
    for time_ in range(1, 4):
        results = ask(system, [Envelope(actor, reply_bytes=1 << 15) for actor in range(300)])
        assert bodies(results) == [str(time_).encode()] * 300
