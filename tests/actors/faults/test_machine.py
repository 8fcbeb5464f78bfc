"""Limits, numbers, scripts and ends: cases 10, 54, 55, 57 and 60 of the catalogue of faults."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fedlocal.actors import ActorSystemError, Envelope, Failure, Reply
from tests.actors.behaviours import Double
from tests.actors.faults.misbehaviour import Faulty, order, starting
from tests.actors.faults.trial import Open, bodies, everywhere, until

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, or limits what Linux limits")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

PRELUDE = """
import logging, os, resource, sys, time
from pathlib import Path
from fedlocal.actors import ActorSystem, ActorSystemError, Envelope, Failure, Policy, audit
from tests.actors.faults.misbehaviour import Faulty, order
logging.basicConfig(format="%(message)s")
"""


def script(text: str, *arguments: object, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", PRELUDE + text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload,no-any-return]


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


# Memory

GREEDY = """
Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
deaths = []
with ActorSystem(Faulty, workers=2, journal=sys.argv[2], on_death=deaths.append) as system:
    greedy, *fine = system.ask([Envelope(0, order("allocate:2000")), *[Envelope(1)] * 5], timeout=50)
print(greedy.cause, *(one.wire.body.decode() for one in fine), *(death.cause for death in deaths))
print(audit(sys.argv[2]).sound)
print(greedy.reason)
"""


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group with 500 MiB of memory, where this user may make one."""
    mounted = Path("/sys/fs/cgroup")
    version_1 = (mounted / "memory").is_dir()
    group = mounted / ("memory" if version_1 else "") / f"fedlocal-test-{os.getpid()}"
    limit = group / ("memory.limit_in_bytes" if version_1 else "memory.max")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"may not make a control group: {error}")
    try:
        limit.write_text(str(500 << 20))
        yield group
    except OSError as error:
        pytest.skip(f"may not limit a control group: {error}")
    finally:
        assert until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


@linux
def test_10_a_worker_killed_for_want_of_memory_is_named_so_and_the_supervisor_lives(
    small_group: Path, tmp_path: Path, no_leaks: None
) -> None:
    done = script(GREEDY, small_group, tmp_path / "journal.jsonl")
    assert done.stdout.splitlines()[:2] == ["crash 1 2 3 4 5 memory memory", "True"], done.stderr
    assert "out of memory" in done.stdout


# What the machine has too little of

LIMITED = """
name, value, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with ActorSystem(Faulty, workers=1) as warm:  # what all systems share is there
    warm.ask([Envelope(0)], timeout=30)
resource.setrlimit(getattr(resource, name), (value, value))
before = len(os.listdir("/proc/self/fd"))
try:
    with ActorSystem(Faulty, workers=workers) as system:
        results = system.ask([Envelope(actor) for actor in range(100)], timeout=30)
        print(sum(not isinstance(one, Failure) for one in results), len(system._supervisor._crew.links))
except (ActorSystemError, OSError) as error:
    print("refused:", error)
print(len(os.listdir("/proc/self/fd")) - before)
"""


@linux
def test_54_with_few_descriptors_as_many_workers_as_there_can_be_do_the_work(no_leaks: None) -> None:
    done = script(LIMITED, "RLIMIT_NOFILE", 64, 16)
    answered, leaked = done.stdout.splitlines()
    replies, workers = map(int, answered.split())
    assert replies == 100
    assert 1 <= workers < 16
    assert int(leaked) == 0
    assert "Too many open files" in done.stderr


@linux
@pytest.mark.parametrize("limit", [8, 12, 17])
def test_54_without_descriptors_nothing_is_left_half_started(no_leaks: None, limit: int) -> None:
    done = script(LIMITED, "RLIMIT_NOFILE", limit, 2)
    answer, leaked = done.stdout.splitlines()
    assert answer.startswith("refused:"), done.stderr
    assert "Too many open files" in answer
    assert int(leaked) == 0


USED_UP = """
with ActorSystem(Double, workers=2) as system:
    open_now = len(os.listdir("/proc/self/fd")) - 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now, open_now))
    content = system.share(b"", [np.ones(1 << 20, dtype=np.float32)])
    sent = [Envelope(actor, b"", content, reply_bytes=content.nbytes) for actor in range(4)]
    for actor, result in enumerate(system.ask(sent, timeout=30)):
        print(actor, (np.frombuffer(result.wire.arrays[0], dtype=np.float32) == 2 + actor).all())
"""


@linux
def test_54_without_descriptors_arrays_go_over_the_sockets(no_leaks: None) -> None:
    done = script("import numpy as np\nfrom tests.actors.behaviours import Double\n" + USED_UP)
    assert done.stdout == "".join(f"{actor} True\n" for actor in range(4)), done.stderr


@linux
def test_54_a_worker_without_descriptors_is_replaced_and_never_misses_an_array(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=1)
    assert bodies([trial.one(0, order("use_up_descriptors"))]) == [b"1"]
    content = trial.system.share(b"", [bytes(1 << 20)])
    assert bodies([trial.one(0, order("sum_of_lengths"), content=content)]) == [str(1 << 20).encode()]
    assert trial.causes == ["exit"]
    trial.system.release(content)


@linux
def test_54_without_processes_the_message_says_so(no_leaks: None) -> None:
    if os.getuid() == 0:
        pytest.skip("RLIMIT_NPROC does not bind root")
    done = script(LIMITED, "RLIMIT_NPROC", 1, 2)
    assert done.stdout.startswith("refused:"), done.stderr


@linux
def test_54_dev_shm_may_be_as_small_as_it_likes_for_it_is_not_used(open_trial: Open) -> None:
    trial = open_trial(Double)
    content = trial.system.share(b"", [np.zeros(1 << 20, dtype=np.float32)])
    results = trial.ask([Envelope(actor, b"", content, reply_bytes=content.nbytes) for actor in range(4)])
    assert all(isinstance(result, Reply) for result in results)
    for pid in (os.getpid(), *trial.pids()):
        assert "/dev/shm" not in Path(f"/proc/{pid}/maps").read_text()  # noqa: S108
    trial.system.release(content)


TIDY = """
with ActorSystem(Faulty, workers=2, journal="journal.jsonl") as system:
    once = Path("once").absolute()
    system.ask([Envelope(actor, order("kill", once)) for actor in range(20)], timeout=30)
once.unlink()
"""


def test_54_no_file_is_left_but_the_journal(tmp_path: Path, no_leaks: None) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    done = script(TIDY, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["journal.jsonl"]


# Numbers of actors and workers


def test_55_a_thousand_actors_on_two_workers(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=2)
    for count in (b"1", b"2"):
        assert bodies(trial.ask([Envelope(actor) for actor in range(1000)])) == [count] * 1000


def test_55_more_workers_than_actors_and_one_of_each(open_trial: Open) -> None:
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
print(len(system.ask([Envelope(actor) for actor in range(10)], timeout=50)))
"""


@pytest.mark.parametrize("method", ["forkserver", pytest.param("spawn", marks=pytest.mark.slow)])
def test_57_a_script_without_a_main_guard_runs_once(tmp_path: Path, method: str, no_leaks: None) -> None:
    path, runs = tmp_path / "unguarded.py", tmp_path / "runs"
    path.write_text(UNGUARDED)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, str(path), str(runs), method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)
    assert (done.stdout, done.stderr) == ("10\n", "")
    assert runs.read_text() == "run\n"


# Growing, shrinking, retiring


@everywhere
def test_60_workers_come_and_go_while_messages_are_handled(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=2)
    batch = trial.system.post([Envelope(actor, order("hang:0.005")) for actor in range(100)])
    for workers in (3, 1, 2, 1):
        trial.system.resize(workers)
    assert batch.wait(30)
    assert bodies(batch.results()) == [b"1"] * 100
    assert until(lambda: len(trial.pids()) == 1)
    assert trial.causes == []
    assert trial.handled() == list(range(1, 101))


def test_60_a_worker_may_be_let_go_before_it_has_started(open_trial: Open, tmp_path: Path) -> None:
    trial = open_trial(starting("hang:0.3"), workers=1)
    trial.system.resize(3)
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
    assert batch.wait(30)
    assert bodies(batch.results()) == [b"1"] * 2


def test_60_a_busy_actor_that_is_retired_finishes_and_the_rest_is_answered(
    open_trial: Open, tmp_path: Path
) -> None:
    trial, gate = open_trial(Faulty, workers=1), tmp_path / "gate"
    batch = trial.system.post([Envelope(0, order(f"wait_for:{gate}")), Envelope(0), Envelope(0)])
    assert until(gate.with_suffix(".waiting").exists)
    supervisor, retired = trial.system._supervisor, threading.Event()
    supervisor.call(lambda: (supervisor._delivery.retire(0, "it was retired"), retired.set())[0])  # type: ignore[func-returns-value]
    assert retired.wait(30)
    gate.touch()
    assert batch.wait(30)
    first, *others = batch.results()
    assert bodies([first]) == [b"1"]
    assert [one.cause for one in others if isinstance(one, Failure)] == ["stopped"] * 2


# Ends

ORPHANS = """
method, what = sys.argv[1:]
system = ActorSystem(Faulty, workers=2, method=method)
(pid, sleeper) = system.ask([Envelope(0, order("grandchild"))], timeout=30)[0].wire.body.split()
pids = [link.process.pid for link in system._supervisor._crew.links]
system.post([Envelope(actor, order(what)) for actor in range(2)])
time.sleep(0.3)  # for them to be at it
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
def test_49_neither_workers_nor_what_they_started_outlive_a_killed_supervisor_by_a_second(
    method: str, what: str, no_leaks: None
) -> None:
    command = [sys.executable, "-c", PRELUDE + ORPHANS, method, what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    assert len(pids) == 3
    assert until(lambda: all(map(gone, pids)), seconds=1.0)


@linux
def test_02_what_an_actor_started_dies_with_its_worker(open_trial: Open, tmp_path: Path) -> None:
    trial, note = open_trial(Faulty, workers=1), tmp_path / "child"
    trial.one(0, order(f"grandchild:{note}"))
    trial.one(0, order("kill", tmp_path / "once"))
    assert until(lambda: gone(int(note.read_text())), seconds=1.0)


def test_08_no_system_is_left_of_one_that_could_not_start(open_trial: Open) -> None:
    with pytest.raises(ActorSystemError) as error:
        open_trial(starting("raise"))
    assert re.search("no such client", str(error.value))
    assert not [thread for thread in threading.enumerate() if thread.name == "fedlocal-supervisor"]
