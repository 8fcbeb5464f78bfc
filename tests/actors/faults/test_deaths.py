"""Workers that die: cases 1 to 15 of the catalogue of faults."""

import os
import signal
import sys
from pathlib import Path

import pytest

from fedlocal.actors import ActorSystemError, Envelope, Failure, Reply
from tests.actors.faults.misbehaviour import Faulty, Fragile, Wild, order, starting, starts_until
from tests.actors.faults.trial import PATIENCE, Open, bodies, everywhere, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@everywhere
def test_01_a_worker_killed_while_idle_is_replaced_and_nobody_sees_an_error(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=1)
    (pid,) = bodies([trial.ask_actor(0, order("pid"))])
    os.kill(int(pid), signal.SIGKILL)
    assert bodies([trial.ask_actor(0)]) == [b"2"]
    assert (trial.causes, trial.close().restarted, trial.handled()) == (["killed"], 1, [1, 2])


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_01_idle_workers_may_be_killed_again_and_again(open_trial: Open, number: int) -> None:
    trial, killed = open_trial(Faulty, max_starts=1, max_kills=1), set[int]()
    for _ in range(4):
        assert until(lambda: len({*trial.ready()} - killed) == 2, seconds=30)
        for pid in trial.ready():
            killed.add(pid)
            os.kill(pid, number)
    assert bodies(trial.ask([Envelope(0), Envelope(1)])) == [b"1", b"1"]
    assert len(trial.causes) == 8


def test_01_signals_to_workers_that_start_do_not_end_a_system_that_could(
    open_trial: Open, tmp_path: Path
) -> None:
    trial = open_trial(starting("hang:0.5"), workers=1, max_starts=1)
    assert bodies([trial.ask_actor(0)]) == [b"1"]
    killed = set[int]()
    for _ in range(3):
        assert until(lambda: {*trial.pids()} - killed, seconds=30)
        (pid,) = trial.pids()
        killed.add(pid)
        os.kill(pid, signal.SIGHUP)
    assert bodies([trial.ask_actor(0)]) == [b"2"]
    assert trial.causes == ["signal"] * 3


@everywhere
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_02_sigkill_in_mid_handle_is_retried_from_the_prior_state(
    open_trial: Open, tmp_path: Path, number: int
) -> None:
    trial = open_trial(Faulty)
    fatal = order(f"kill:{number}", tmp_path / "once")
    sent = [Envelope(0), Envelope(1), Envelope(0, fatal), Envelope(1), Envelope(0)]
    assert bodies(trial.ask(sent)) == [b"1", b"1", b"2", b"2", b"3"]
    assert trial.system.states() == {0: b"3", 1: b"2"}
    summary = trial.close()
    assert [(death.cause, death.actors) for death in trial.deaths] == [("killed", (0,))]
    assert (summary.failed, summary.stale) == (0, 0)
    assert trial.handled() == [1, 2, 3, 3, 4, 5]


@everywhere
def test_03_a_message_that_brings_down_each_worker_fails_after_two_and_spares_its_neighbours(
    open_trial: Open,
) -> None:
    trial = open_trial(Faulty)
    poison, *replies = trial.ask(
        [Envelope(0, order("kill:6")), *[Envelope(actor) for actor in (1, 2, 3) for _ in range(5)]]
    )
    assert isinstance(poison, Failure)
    assert (poison.actor, poison.cause) == (0, "crash")
    assert "SIGABRT" in poison.reason
    assert "second time" in poison.reason
    assert bodies(replies) == [str(count).encode() for _ in range(3) for count in range(1, 6)]
    assert bodies([trial.ask_actor(0)]) == [b"1"]  # the actor lives on, with its prior state
    assert (trial.causes, trial.close().failed) == (["signal"] * 2, 1)


@everywhere
def test_03_a_message_whose_mere_arrival_brings_down_each_worker_fails_too(open_trial: Open) -> None:
    trial = open_trial(Fragile)
    poison, *replies = trial.ask([Envelope(0, b"unreadable"), *[Envelope(1)] * 20])
    assert isinstance(poison, Failure)
    assert poison.cause == "crash"
    assert len(bodies(replies)) == 20
    assert bodies([trial.ask_actor(0)]) == [b"1"]
    assert trial.causes == ["exit"] * 2


def test_03_outside_kills_are_forgiven_up_to_their_own_limit(open_trial: Open) -> None:
    trial = open_trial(Faulty, max_kills=4)
    killed, fine = trial.ask([Envelope(0, order("kill")), Envelope(1)])
    assert isinstance(killed, Failure)
    assert (killed.cause, trial.causes) == ("killed", ["killed"] * 4)
    assert bodies([fine]) == [b"1"]
    assert trial.close().retried == 3


@everywhere
def test_04_a_segmentation_fault_in_native_code_names_its_signal(open_trial: Open, tmp_path: Path) -> None:
    trial = open_trial(Faulty)
    once, always = trial.ask(
        [Envelope(0, order("segfault", tmp_path / "once")), Envelope(1, order("segfault"))]
    )
    assert bodies([once]) == [b"1"]
    assert isinstance(always, Failure)
    assert (always.cause, trial.causes) == ("crash", ["signal"] * 3)
    assert "signal 11 (SIGSEGV)" in always.reason


@everywhere
@pytest.mark.parametrize(("how", "code"), [("sys_exit:3", 3), ("os_exit:0", 0)])
def test_05_an_exit_in_a_handler_is_a_death_whatever_its_code(open_trial: Open, how: str, code: int) -> None:
    trial = open_trial(Faulty)
    failed, fine = trial.ask([Envelope(0, order(how)), Envelope(1)])
    assert isinstance(failed, Failure)
    assert failed.cause == "crash"
    assert f"exited with code {code}" in failed.reason
    assert bodies([fine]) == [b"1"]
    assert trial.causes == ["exit", "exit"]


@everywhere
@pytest.mark.parametrize("ending", ["exit", "half and exit"])
def test_06_half_a_reply_is_thrown_away_and_the_message_tried_again(
    open_trial: Open, tmp_path: Path, ending: str
) -> None:
    trial = open_trial(Wild)
    results = trial.ask([Envelope(0, order(f"then:{ending}", tmp_path / "once")), Envelope(1)])
    assert bodies(results) == [b"1", b"1"]
    summary = trial.close()
    assert (trial.causes, summary.retried, summary.stale) == (["exit"], 1, 0)
    assert trial.handled() == [1, 1, 2]


@everywhere
def test_07_a_reply_whose_worker_was_killed_after_it_counts_once(open_trial: Open, tmp_path: Path) -> None:
    trial = open_trial(Wild)
    first = trial.ask_actor(0, order("then:all and kill", tmp_path / "once"), reply_bytes=1 << 20)
    assert bodies([first, *trial.ask([Envelope(0), Envelope(1)])]) == [b"1", b"2", b"1"]
    assert (trial.causes, trial.handled()) == (["killed"], [1, 2, 3])


@everywhere
def test_08_a_constructor_that_always_raises_ends_in_an_error_with_its_traceback(open_trial: Open) -> None:
    with pytest.raises(ActorSystemError, match=r"(?s)Traceback.*RuntimeError: no such client"):
        open_trial(starting("raise"))


@pytest.mark.parametrize("what", ["raise", "os_exit:0", "segfault", "kill"])
def test_08_a_worker_that_fails_to_start_once_is_tried_again(
    open_trial: Open, tmp_path: Path, what: str
) -> None:
    trial = open_trial(starting(what, tmp_path / "once"))
    assert bodies(trial.ask([Envelope(0), Envelope(1)])) == [b"1", b"1"]
    assert len(trial.causes) == 1


def test_08_a_constructor_that_always_dies_ends_in_an_error(open_trial: Open) -> None:
    with pytest.raises(ActorSystemError, match="exited with code 7"):
        open_trial(starting("os_exit:7"))


def test_09_a_constructor_that_never_returns_ends_in_an_error(open_trial: Open) -> None:
    with pytest.raises(ActorSystemError, match=r"was not ready within 0\.2 s"):
        open_trial(starting("hang"), start_deadline=0.2, max_starts=2)


def test_09_a_constructor_that_hangs_once_is_tried_again(open_trial: Open, tmp_path: Path) -> None:
    trial = open_trial(starting("hang", tmp_path / "once"), start_deadline=2.0)
    assert bodies(trial.ask([Envelope(0), Envelope(1)])) == [b"1", b"1"]
    assert set(trial.causes) == {"start"}


def test_10_memory_over_its_limit_is_the_messages_own_error(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=1, memory_limit=4096)
    greedy, fine = trial.ask([Envelope(0, order("allocate:8192")), Envelope(0)])
    assert isinstance(greedy, Failure)
    assert (greedy.cause, greedy.reason) == ("exception", "MemoryError")
    assert bodies([fine]) == [b"1"]
    assert trial.causes == []


@everywhere
def test_11_all_workers_may_die_at_once(open_trial: Open, tmp_path: Path) -> None:
    trial = open_trial(Faulty, workers=3)
    gates = [tmp_path / f"never{actor}" for actor in range(3)]
    batch = trial.system.post([Envelope(actor, order(f"wait_for:{gates[actor]}")) for actor in range(3)])
    assert all(until(gate.with_suffix(".waiting").exists) for gate in gates)
    for pid in trial.pids():
        os.kill(pid, signal.SIGKILL)
    for gate in gates:
        gate.touch()
    assert batch.wait(PATIENCE)
    assert bodies(batch.results()) == [b"1"] * 3
    assert (trial.causes, trial.handled()) == (["killed"] * 3, [1, 1, 2, 2, 3, 3])


def test_12_when_no_worker_can_start_again_all_that_waits_is_answered(
    open_trial: Open, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    trial = open_trial(starts_until(gate), max_starts=2)
    assert bodies(trial.ask([Envelope(0), Envelope(1)])) == [b"1", b"1"]
    gate.touch()
    both = [Envelope(actor, order("kill")) for actor in range(2)]
    results = trial.ask([*both, *[Envelope(actor) for actor in range(20)]])
    unavailable = [result for result in results if isinstance(result, Failure)]
    assert unavailable
    assert {failure.cause for failure in unavailable} == {"unavailable"}
    assert "the gate is shut" in unavailable[0].reason
    (refused,) = trial.ask([Envelope(0)])
    assert isinstance(refused, Failure)
    assert refused.cause == "unavailable"


def test_12_while_one_worker_can_start_the_work_goes_on(open_trial: Open, tmp_path: Path) -> None:
    trial = open_trial(starts_until(tmp_path / "gate"), workers=2, max_starts=2)
    pid = int(bodies([trial.ask_actor(0, order("pid"))])[0])
    (tmp_path / "gate").touch()
    os.kill(pid, signal.SIGKILL)
    assert bodies(trial.ask([Envelope(1)] * 30)) == [str(count).encode() for count in range(1, 31)]


def test_14_the_process_that_workers_fork_from_is_started_again(open_trial: Open) -> None:
    from multiprocessing import forkserver  # not everywhere

    trial = open_trial(Faulty)
    assert bodies(trial.ask([Envelope(0), Envelope(1)])) == [b"1", b"1"]
    before = trial.pids()
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)  # type: ignore[attr-defined]
    for count in (b"2", b"3"):
        assert bodies(trial.ask([Envelope(0), Envelope(1)])) == [count] * 2
    assert set(trial.causes) <= {"lost"}
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before))


def test_15_an_actor_that_leaks_has_its_worker_replaced_between_messages(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=1, memory_watermark=300)
    pids = bodies(trial.ask([Envelope(0, order("hoard_memory:40")) for _ in range(12)]))
    assert len(set(pids)) > 1
    assert set(trial.causes) == {"watermark"}
    assert trial.handled() == list(range(1, 13))  # none twice: nothing was taken from an actor


def test_15_the_state_of_an_actor_survives_the_replacement(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=1, memory_watermark=1)  # any worker is larger: one message each
    assert bodies(trial.ask([Envelope(0) for _ in range(4)])) == [b"1", b"2", b"3", b"4"]
    assert isinstance(trial.ask_actor(0), Reply)
    assert set(trial.causes) == {"watermark"}
