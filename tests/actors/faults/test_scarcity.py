"""Too little memory, too few descriptors and processes: cases 10 and 54 of the catalogue of faults."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from fedlocal.actors import Envelope, Reply
from tests.actors.behaviours import Double
from tests.actors.faults.misbehaviour import Faulty, order
from tests.actors.faults.trial import Open, bodies, linux, script, until

# Memory

GREEDY = """
Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
deaths = []
with ActorSystem(Faulty, workers=2, journal=sys.argv[2], on_death=deaths.append) as system:
    greedy, *fine = system.ask([Envelope(0, order("allocate:2000")), *[Envelope(1)] * 5], timeout=120)
print(greedy.cause, *(reply.wire.body.decode() for reply in fine), *(death.cause for death in deaths))
print(audit(sys.argv[2]).sound)
print(greedy.reason)
"""


@contextmanager
def group(controller: str, limits: dict[str, int]) -> Iterator[Path]:
    """Make a control group with a limit, by its name in version 1 or 2, where this user may."""
    mounted = Path("/sys/fs/cgroup")
    made = mounted / (controller if (mounted / controller).is_dir() else "") / f"fedlocal-test-{os.getpid()}"
    try:
        made.mkdir()
    except OSError as error:
        pytest.skip(f"may not make a control group: {error}")
    try:
        limit, value = next(pair for pair in limits.items() if (made / pair[0]).exists())
        (made / limit).write_text(str(value))
    except (OSError, StopIteration) as error:
        made.rmdir()
        pytest.skip(f"may not limit a control group: {error!r}")
    try:
        yield made
    finally:
        assert until(lambda: not (made / "cgroup.procs").read_text())
        made.rmdir()


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group with 500 MiB of memory."""
    with group("memory", {"memory.limit_in_bytes": 500 << 20, "memory.max": 500 << 20}) as made:
        yield made


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
    warm.ask([Envelope(0)], timeout=120)
resource.setrlimit(getattr(resource, name), (value, value))
before = len(os.listdir("/proc/self/fd"))
try:
    with ActorSystem(Faulty, workers=workers) as system:
        results = system.ask([Envelope(actor) for actor in range(100)], timeout=120)
        replies = [result for result in results if not isinstance(result, Failure)]
        print(len(replies), len(system._supervisor.pool.connections))
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
    for actor, result in enumerate(system.ask(sent, timeout=120)):
        print(actor, (np.frombuffer(result.wire.arrays[0], dtype=np.float32) == 2 + actor).all())
"""


@linux
def test_54_without_descriptors_arrays_go_over_the_sockets(no_leaks: None) -> None:
    done = script("import numpy as np\nfrom tests.actors.behaviours import Double\n" + USED_UP)
    assert done.stdout == "".join(f"{actor} True\n" for actor in range(4)), done.stderr


@linux
def test_54_a_worker_without_descriptors_is_replaced_and_never_misses_an_array(open_trial: Open) -> None:
    trial = open_trial(Faulty, workers=1)
    assert bodies([trial.ask_actor(0, order("use_up_descriptors"))]) == [b"1"]
    content = trial.system.share(b"", [bytes(1 << 20)])
    assert bodies([trial.ask_actor(0, order("sum_of_lengths"), content=content)]) == [str(1 << 20).encode()]
    assert trial.causes == ["exit"]
    trial.system.release(content)


FORBIDDEN = """
group, warm = Path(sys.argv[1]), sys.argv[2] == "warm"
if warm:  # what workers fork from is there, and not limited
    with ActorSystem(Faulty, workers=1) as system:
        system.ask([Envelope(0)], timeout=120)
(group / "cgroup.procs").write_text(str(os.getpid()))
before = len(os.listdir("/proc/self/fd"))
try:
    ActorSystem(Faulty, workers=2)
except (ActorSystemError, OSError, RuntimeError) as error:
    print("refused:", error)
print(len(os.listdir("/proc/self/fd")) - before if warm else 0)
"""


@linux
@pytest.mark.parametrize("state", ["warm", "cold"])
def test_54_without_threads_the_error_says_so_and_nothing_is_left(no_leaks: None, state: str) -> None:
    with group("pids", {"pids.max": 3 if state == "cold" else 1}) as made:
        done = script(FORBIDDEN, made, state)
    answer, leaked = done.stdout.splitlines()
    assert answer == "refused: can't start new thread", done.stderr
    assert int(leaked) == 0


FORBIDDEN_FOR_A_WHILE = """
group = Path(sys.argv[1])
(group / "cgroup.procs").write_text(str(os.getpid()))
with ActorSystem(Faulty, workers=2, policy=Policy(max_starts=20), journal=sys.argv[2]) as system:
    system.ask([Envelope(0), Envelope(1)], timeout=120)
    (group / "pids.max").write_text("1")
    once = [Path(sys.argv[2] + str(actor)) for actor in range(2)]
    batch = system.post([Envelope(actor, order("kill", once[actor])) for actor in range(2)])
    while not all(seat.reason for seat in system._supervisor.pool._seats.values()):
        time.sleep(0.005)  # until starts have failed
    (group / "pids.max").write_text("max")
    print(batch.wait(120), *(result.wire.body.decode() for result in batch.results()))
print(audit(sys.argv[2]).sound)
"""


@linux
def test_54_when_processes_are_to_be_had_again_the_work_goes_on(no_leaks: None, tmp_path: Path) -> None:
    with group("pids", {"pids.max": 1000}) as made:
        done = script(FORBIDDEN_FOR_A_WHILE, made, tmp_path / "journal.jsonl")
    assert done.stdout.splitlines() == ["True 2 2", "True"], done.stderr


@linux
def test_54_no_process_maps_dev_shm(open_trial: Open) -> None:
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
    system.ask([Envelope(actor, order("kill", once)) for actor in range(20)], timeout=120)
once.unlink()
"""


def test_54_no_file_is_left_but_the_journal(tmp_path: Path, no_leaks: None) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    done = script(TIDY, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["journal.jsonl"]
