"""Actors that hang, and slow ones: cases 16 to 23 of the catalogue of faults."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fedlocal.actors import Envelope, Failure, Reply
from tests.actors.faults.misbehaviour import Faulty, Wild, order
from tests.actors.faults.trial import PATIENCE, PRELUDE, Open, bodies, everywhere, handles, linux, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
HANGS = {16: "hang", 17: "spin", 18: "stop"}


@everywhere
@pytest.mark.parametrize("how", [*HANGS.values(), "hold_the_gil"], ids=["16", "17", "18", "17-gil"])
def test_16_17_18_an_actor_that_does_not_answer_in_time_is_ended_and_its_message_tried_twice(
    open_trial: Open, how: str
) -> None:
    trial = open_trial(Faulty, deadline=600)
    batch = trial.system.post([Envelope(0, order(how)), *[Envelope(1)] * 5])
    for _ in range(2):
        trial.run_out(handles(1))
    assert batch.wait(PATIENCE)
    hung, *fine = batch.results()
    assert isinstance(hung, Failure)
    assert hung.cause == "deadline"
    assert "did not answer within 600 s" in hung.reason
    assert bodies(fine) == [b"1", b"2", b"3", b"4", b"5"]
    assert bodies([trial.ask_actor(0)]) == [b"1"]
    assert trial.causes == ["deadline"] * 2


@everywhere
@pytest.mark.parametrize("number", HANGS)
def test_16_17_18_an_actor_that_hangs_once_is_retried_from_its_prior_state(
    open_trial: Open, tmp_path: Path, number: int
) -> None:
    trial, hangs = open_trial(Faulty), order(HANGS[number], tmp_path / "once")
    batch = trial.system.post([Envelope(0), Envelope(0, hangs), Envelope(0)])
    trial.run_out(handles(2))
    assert batch.wait(PATIENCE)
    assert bodies(batch.results()) == [b"1", b"2", b"3"]
    assert (trial.causes, trial.handled()) == (["deadline"], [1, 2, 2, 3])


def test_18_the_next_message_exposes_a_worker_stopped_while_idle(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=1)
    assert bodies([trial.ask_actor(0)]) == [b"1"]
    os.kill(trial.pids()[0], signal.SIGSTOP)
    batch = trial.system.post([Envelope(0)])
    trial.run_out(lambda connection: connection.in_flight)
    assert batch.wait(PATIENCE)
    assert bodies(batch.results()) == [b"2"]
    assert (trial.causes, trial.handled()) == (["deadline"], [1, 2])


STOPPED = """
journal, gate = sys.argv[1:]
with ActorSystem(Faulty, workers=1, policy=Policy(deadline=0.5), journal=journal) as system:
    system.ask([Envelope(0)], timeout=30)
    print(system.processes()[0], flush=True)
    result, = system.ask([Envelope(0, order(f"wait_for:{gate}"))])
print(result.wire.body, dict(audit(journal).deaths))
"""


@pytest.mark.parametrize("with_worker", [False, True], ids=["alone", "with its worker"])
def test_18_a_system_that_was_stopped_past_a_deadline_blames_nobody(
    tmp_path: Path, with_worker: bool, no_leaks: None
) -> None:
    gate = tmp_path / "gate"
    command = [sys.executable, "-c", PRELUDE + STOPPED, str(tmp_path / "journal"), str(gate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        stopped = [process.pid, *([int(process.stdout.readline())] if with_worker else [])]
        assert until(gate.with_suffix(".waiting").exists, seconds=30)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        gate.touch()
        time.sleep(2)  # the deadline is over, by more than a busy machine makes anybody late
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        assert process.stdout.read().splitlines()[-1] == "b'2' {}"


def test_19_a_straggler_within_its_deadline_is_waited_for(open_trial: Open) -> None:
    trial = open_trial(Faulty, deadline=PATIENCE)
    slow, *fast = trial.ask([Envelope(0, order("hang:0.5")), *[Envelope(1)] * 10])
    assert isinstance(slow, Reply)
    assert slow.ended - slow.started >= 0.5
    assert len(bodies(fast)) == 10
    assert trial.causes == []


@everywhere
def test_19_the_late_reply_of_a_straggler_that_was_given_up_does_not_count(
    open_trial: Open, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    trial = open_trial(Faulty, workers=1)
    content = trial.system.share(b"", [])
    first = trial.system.post([Envelope(0, order(f"wait_for:{gate}"), content)])
    held = trial.system.post([Envelope(1, b"", content)])
    (connection,) = trial.system._supervisor.pool.connections
    assert until(lambda: len(connection.in_flight) == 2)  # its worker has it, and cannot get at it yet
    assert until(gate.with_suffix(".waiting").exists)
    trial.system.withdraw(held, "the round is over")
    gate.touch()
    assert first.wait(PATIENCE)
    (late,) = held.results()
    assert isinstance(late, Failure)
    assert (late.cause, late.reason) == ("timeout", "the round is over")
    assert bodies([trial.ask_actor(1)]) == [b"1"]  # what it did late left no trace in its state
    assert (trial.close().stale, trial.causes) == (1, [])


@linux
def test_19_what_a_slow_worker_holds_in_advance_goes_to_an_idle_one(open_trial: Open, tmp_path: Path) -> None:
    trial, gate = open_trial(Faulty, workers=2), tmp_path / "gate"
    content = trial.system.share(b"", [])
    bodies(trial.ask([Envelope(actor, b"", content, reply_bytes=1 << 16) for actor in range(6)]))
    held = [Envelope(actor, b"", content, reply_bytes=1 << 16) for actor in range(1, 6)]
    batch = trial.system.post([Envelope(0, order(f"wait_for:{gate}"), content), *held])
    assert until(lambda: len(batch.missing()) == 1, seconds=30)  # all but the one that waits
    gate.touch()
    assert batch.wait(30)
    assert bodies(batch.results()) == [b"2"] * 6
    assert bodies(trial.ask(held * 3)) == [str(count).encode() for count in (3, 4, 5) for _ in range(5)]
    trial.system.release(content)
    summary = trial.close()
    assert (trial.causes, summary.stale, summary.failed) == ([], 0, 0)
    assert trial.handled() == list(
        range(1, summary.posted + 1)
    )  # each once: the slow one skipped what it held


@linux
def test_19_a_time_out_costs_the_reply_and_the_state_of_slow_actors_alone(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=2)
    content = trial.system.share(b"", [])
    sent = [Envelope(actor, b"", content) for actor in range(1, 5)]
    batch = trial.system.post([Envelope(0, order("hang"), content), *sent])
    assert until(lambda: len(batch.missing()) == 1, seconds=30)  # though its worker held others in advance
    trial.system.withdraw(batch, "the round is over")
    slow, *replies = batch.results()
    assert isinstance(slow, Failure)
    assert slow.cause == "timeout"
    assert bodies(replies) == [b"1"] * 4
    assert bodies(trial.ask(sent)) == [b"2"] * 4
    trial.system.release(content)
    assert trial.causes == ["withdrawn"]


def test_20_an_actor_that_never_reads_does_not_block_other_actors(open_trial: Open) -> None:
    trial = open_trial(Faulty)
    assert bodies(trial.ask([Envelope(0), Envelope(1)])) == [b"1", b"1"]
    stopped, _ = trial.pids()
    os.kill(stopped, signal.SIGSTOP)
    large = trial.system.post([Envelope(0, b"|" + bytes(64 << 20)), Envelope(2, b"|" + bytes(64 << 20))])
    assert len(bodies(trial.ask([Envelope(1)] * 5))) == 5
    assert not large.wait(0)
    trial.run_out(lambda connection: connection.process.pid == stopped)
    assert large.wait(PATIENCE)
    assert all(isinstance(result, (Reply, Failure)) for result in large.results())
    assert "deadline" in trial.causes


def test_21_the_deadline_is_for_the_whole_reply_however_slowly_it_comes(
    open_trial: Open, tmp_path: Path
) -> None:
    trial = open_trial(Wild, deadline=1.0)
    slow, fine = trial.ask([Envelope(0, order("then:slowly", tmp_path / "once")), Envelope(1)])
    assert bodies([slow, fine]) == [b"1", b"1"]
    assert set(trial.causes) == {"deadline"}


@everywhere
def test_22_a_round_that_ends_while_messages_wait_leaves_no_message_behind(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=1)
    results = trial.ask([Envelope(0, order("hang")), *[Envelope(actor) for actor in range(5)]], timeout=0.3)
    assert [result.cause for result in results if isinstance(result, Failure)] == ["timeout"] * 6
    assert bodies(trial.ask([Envelope(actor) for actor in range(5)])) == [b"1"] * 5  # the next round is clean
    summary = trial.close()
    assert (trial.causes, summary.failed, summary.replied) == (["withdrawn"], 6, 5)


def test_22_a_dismissed_worker_is_ended_with_its_round(open_trial: Open, tmp_path: Path) -> None:
    trial = open_trial(Faulty, workers=2)
    gates = [tmp_path / f"never{actor}" for actor in range(2)]
    batch = trial.system.post([Envelope(actor, order(f"wait_for:{gates[actor]}")) for actor in range(2)])
    assert all(until(gate.with_suffix(".waiting").exists) for gate in gates)
    trial.system.resize(1)
    trial.system.withdraw(batch, "the round is over")
    assert until(lambda: len(trial.pids()) == 1)
    assert bodies([trial.ask_actor(1)]) == [b"1"]


def test_23_a_clock_that_jumps_by_an_hour_changes_nothing(
    open_trial: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, offset = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: honest() + offset[0])
    trial = open_trial(Faulty, workers=2, deadline=PATIENCE)
    stop = threading.Event()

    def jump() -> None:
        while not stop.wait(0.01):
            offset[0] = -3600.0 if offset[0] >= 0 else 3600.0

    jumper = threading.Thread(target=jump)
    jumper.start()
    try:
        results = trial.ask([Envelope(actor, order("hang:0.02")) for actor in range(20)])
    finally:
        stop.set()
        jumper.join()
    assert bodies(results) == [b"1"] * 20
    assert trial.causes == []
