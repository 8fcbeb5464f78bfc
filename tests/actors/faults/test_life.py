"""Numbers, scripts, growth and ends: cases 49, 55, 57 and 60 of the catalogue of faults."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from fedlocal.actors import ActorSystemError, Envelope, Failure
from tests.actors.faults.misbehaviour import Faulty, order, starting
from tests.actors.faults.trial import PATIENCE, PRELUDE, Open, bodies, everywhere, gone, linux, until

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

# Numbers of actors and workers


def test_55_two_workers_run_a_thousand_actors(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=2)
    for count in (b"1", b"2"):
        assert bodies(trial.ask([Envelope(actor) for actor in range(1000)])) == [count] * 1000


def test_55_workers_may_outnumber_actors_and_one_worker_runs_one_actor(open_trial: Open) -> None:
    for workers in (3, 1):
        trial = open_trial(Faulty, workers=workers)
        assert trial.ask([]) == []
        assert bodies(trial.ask([Envelope(7)] * 3)) == [b"1", b"2", b"3"]


def test_55_no_workers_at_all_are_refused_by_name(open_trial: Open) -> None:
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        open_trial(Faulty, workers=0)


# Scripts

UNGUARDED = """
import sys
from pathlib import Path
from fedlocal.actors import ActorSystem, Envelope
from tests.actors.faults.misbehaviour import Faulty
with Path(sys.argv[1]).open("a") as runs:
    runs.write("run\\n")
system = ActorSystem(Faulty, workers=2, method=sys.argv[2])
print(len(system.ask([Envelope(actor) for actor in range(10)], timeout=120)))
"""


@pytest.mark.parametrize("method", ["forkserver", pytest.param("spawn", marks=pytest.mark.slow)])
def test_57_a_script_without_a_main_guard_runs_once(tmp_path: Path, method: str, no_leaks: None) -> None:
    path, runs = tmp_path / "unguarded.py", tmp_path / "runs"
    path.write_text(UNGUARDED)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, str(path), str(runs), method]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=2 * PATIENCE, check=True, env=environment
    )
    assert (done.stdout, done.stderr) == ("10\n", "")
    assert runs.read_text() == "run\n"


# Growing, shrinking, retiring


@everywhere
def test_60_workers_come_and_go_while_messages_are_handled(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=2)
    batch = trial.system.post([Envelope(actor, order("hang:0.005")) for actor in range(100)])
    for workers in (3, 1, 2, 1):
        trial.system.resize(workers)
    assert batch.wait(PATIENCE)
    assert bodies(batch.results()) == [b"1"] * 100
    assert until(lambda: len(trial.pids()) == 1)
    assert trial.causes == []
    assert trial.handled() == list(range(1, 101))


def test_60_a_worker_may_be_dismissed_before_it_has_started(open_trial: Open, tmp_path: Path) -> None:
    trial = open_trial(starting("hang:0.3"), workers=1)
    trial.system.resize(3)
    assert until(lambda: len(trial.pids()) == 3)
    trial.system.resize(1)
    trial.system.resize(2)
    assert bodies(trial.ask([Envelope(actor) for actor in range(5)])) == [b"1"] * 5
    assert until(lambda: len(trial.pids()) == 2)
    assert bodies(trial.ask([Envelope(actor) for actor in range(5)])) == [b"2"] * 5
    assert trial.causes == []


@posix
def test_60_a_worker_killed_while_it_leaves_gives_its_message_back(open_trial: Open, tmp_path: Path) -> None:
    trial, gate = open_trial(Faulty, workers=2), tmp_path / "gate"
    batch = trial.system.post([Envelope(actor, order(f"wait_for:{gate}")) for actor in range(2)])
    assert until(gate.with_suffix(".waiting").exists)
    trial.system.resize(1)
    _, leaving = trial.pids()
    os.kill(leaving, signal.SIGKILL)
    gate.touch()
    assert batch.wait(PATIENCE)
    assert bodies(batch.results()) == [b"1"] * 2


@posix
def test_60_workers_are_killed_while_they_come_and_go(open_trial: Open) -> None:
    trial, rng = open_trial(Faulty, workers=2, max_kills=1000), random.Random(7)
    for count in range(1, 4):
        batch = trial.system.post([Envelope(actor, order("hang:0.002")) for actor in range(40)])
        while not batch.wait(0.02):
            trial.system.resize(rng.randint(1, 3))
            if (pids := trial.system.processes()) and rng.random() < 0.3:
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(pids), signal.SIGKILL)
        assert bodies(batch.results()) == [str(count).encode()] * 40
    trial.system.resize(3)
    assert until(lambda: len(trial.pids()) == 3)
    assert set(trial.causes) <= {"killed"}


def test_60_a_busy_actor_that_is_retired_finishes_and_the_rest_is_answered(
    open_trial: Open, tmp_path: Path
) -> None:
    trial, gate = open_trial(Faulty, workers=1), tmp_path / "gate"
    batch = trial.system.post([Envelope(0, order(f"wait_for:{gate}")), Envelope(0), Envelope(0)])
    assert until(gate.with_suffix(".waiting").exists)
    trial.system.retire(0)
    gate.touch()
    assert batch.wait(PATIENCE)
    first, *results = batch.results()
    assert trial.system.states() == {}
    assert bodies([first]) == [b"1"]
    assert [result.cause for result in results if isinstance(result, Failure)] == ["stopped"] * 2


# Ends

ORPHANS = """
method, what = sys.argv[1:]
system = ActorSystem(Faulty, workers=2, method=method)
(pid, sleeper) = system.ask([Envelope(0, order("grandchild"))], timeout=120)[0].wire.body.split()
pids = [connection.process.pid for connection in system._supervisor.pool.connections]
system.post([Envelope(actor, order(what)) for actor in range(2)])
while not all(connection.handling() for connection in system._supervisor.pool.connections):
    time.sleep(0.005)  # in other processes: nothing to wait on
print(int(sleeper), *pids, flush=True)
time.sleep(3600)
"""


@linux
@pytest.mark.parametrize(
    ("method", "what"),
    [
        ("forkserver", "hold_the_gil"),
        ("forkserver", "stop"),
        *[pytest.param("forkserver", what, marks=pytest.mark.slow) for what in ("hang", "spin")],
        *[pytest.param("spawn", what, marks=pytest.mark.slow) for what in ("hang", "hold_the_gil", "stop")],
    ],
)
def test_49_neither_workers_nor_what_they_started_outlive_a_killed_supervisor(
    method: str, what: str, no_leaks: None
) -> None:
    command = [sys.executable, "-c", PRELUDE + ORPHANS, method, what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(pids) == 3
    assert until(lambda: all(map(gone, pids)))


@linux
def test_02_what_an_actor_started_dies_with_its_worker(open_trial: Open, tmp_path: Path) -> None:
    trial, note = open_trial(Faulty, workers=1), tmp_path / "child"
    trial.ask_actor(0, order(f"grandchild:{note}"))
    trial.ask_actor(0, order("kill", tmp_path / "once"))
    assert until(lambda: gone(int(note.read_text())))


def test_08_no_system_is_left_of_one_that_could_not_start(open_trial: Open) -> None:
    with pytest.raises(ActorSystemError) as error:
        open_trial(starting("raise"))
    assert re.search("no such client", str(error.value))
    assert not [thread for thread in threading.enumerate() if thread.name == "fedlocal-supervisor"]
