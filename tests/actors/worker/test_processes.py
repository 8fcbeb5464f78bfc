"""How workers start when the process that they fork from is in trouble, and that it leaves no trace."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from multiprocessing import forkserver, get_all_start_methods
from pathlib import Path

import pytest

from fedlocal.actors import ActorSystem, Envelope, Policy, Reply, Result
from fedlocal.actors.worker import fork_server
from fedlocal.actors.worker.processes import start_worker, warm_up
from tests.actors.behaviours import Echo
from tests.actors.faults.trial import gone, until

pytestmark = [
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif("forkserver" not in get_all_start_methods(), reason="workers are spawned here"),
]


def origin() -> int:
    """Return the number of the process that workers fork from."""
    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    assert isinstance(pid, int)
    return pid


def bodies(results: list[Result]) -> list[bytes]:
    return [bytes(result.wire.body) for result in results if isinstance(result, Reply)]


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Stop the process that workers fork from, for good: nothing continues it."""
    warm_up(())
    monkeypatch.setattr(fork_server, "wake", lambda: None)
    monkeypatch.setattr(fork_server, "GLANCE", 0.02)
    os.kill(origin(), signal.SIGSTOP)
    yield origin()
    monkeypatch.undo()


def test_the_process_that_workers_fork_from_may_be_killed_while_it_starts_a_worker(stuck: int) -> None:
    killer = threading.Timer(0.3, os.kill, (stuck, signal.SIGKILL))
    killer.start()
    with ActorSystem(Echo, workers=2, method="forkserver") as system:
        results = system.ask([Envelope(0, b"a"), Envelope(1, b"b")], timeout=300)
    killer.join()
    assert bodies(results) == [b"a", b"b"]


def test_the_process_that_workers_fork_from_is_continued_when_it_was_stopped() -> None:
    warm_up(())
    with ActorSystem(Echo, workers=1, method="forkserver") as system:
        for body in (b"a", b"b"):  # a worker is to start; then one dies, and the process has to tell of it
            os.kill(origin(), signal.SIGSTOP)
            (worker,) = system.processes()
            os.kill(worker, signal.SIGKILL)
            assert bodies(system.ask([Envelope(0, body)], timeout=60)) == [body]
        stopped = origin()
        os.kill(stopped, signal.SIGSTOP)
    assert origin() == stopped


def test_the_process_that_workers_fork_from_is_ended_when_it_does_not_answer(stuck: int) -> None:
    with pytest.raises(ConnectionError, match="ended meanwhile"):
        start_worker(1, Echo, Policy(start_deadline=0.1))
    with ActorSystem(Echo, workers=1, method="forkserver") as system:
        assert bodies(system.ask([Envelope(0, b"a")], timeout=60)) == [b"a"]
    assert origin() != stuck


def test_a_system_closes_though_the_process_that_workers_fork_from_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fedlocal.actors.system.STUCK", 0.2)
    warm_up(())
    with ActorSystem(Echo, workers=1, method="forkserver") as system:
        monkeypatch.setattr(fork_server, "wake", lambda: None)
        (worker,) = system.processes()
        os.kill(origin(), signal.SIGSTOP)
        system.resize(2)  # a start that is never over
        system.close(grace=0)
        assert not system._supervisor.thread.is_alive()
    monkeypatch.undo()
    os.kill(origin(), signal.SIGCONT)
    assert until(lambda: gone(worker))


def run(script: str, folder: Path, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(Path.cwd()), **environment},
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere its socket has a name")
def test_a_process_that_is_killed_leaves_nothing_in_a_temporary_folder_of_any_length(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    script = """
        from fedlocal.actors import ActorSystem, Envelope
        from tests.actors.behaviours import Echo
        system = ActorSystem(Echo, workers=2)
        print(len(system.ask([Envelope(0, b"a")])), flush=True)
        input()
    """
    with run(script, folder) as process:
        assert process.stdout
        assert process.stdout.readline() == "1\n"
        process.kill()
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="joblib has another folder there")
def test_joblib_in_an_actor_ends_in_silence_and_leaves_nothing(tmp_path: Path) -> None:
    script = """
        import numpy as np
        from joblib import Parallel, delayed
        from fedlocal.actors import ActorSystem
        def total(message, context):
            rows = np.ones(message)
            return sum(Parallel(n_jobs=2)(delayed(lambda rows: float(rows.sum()))(rows) for _ in range(2)))
        with ActorSystem(workers=1) as system:
            print(system.spawn(total).ask(200_000).result(100))
            system.close(grace=60)
    """
    with run(script, tmp_path, JOBLIB_TEMP_FOLDER=str(tmp_path)) as process:
        output, _ = process.communicate(timeout=200)
    assert output == "400000.0\n"
    assert list(tmp_path.iterdir()) == []


def test_a_forked_process_has_no_part_in_its_parents_systems_and_opens_its_own(tmp_path: Path) -> None:
    script = """
        import os, sys, time
        from fedlocal.actors import ActorSystem, ActorSystemError, Envelope
        from tests.actors.behaviours import Echo
        from tests.actors.spawned.spawnable import Counter
        with ActorSystem(workers=1) as system:
            counter = system.spawn(Counter)
            print(counter.ask(1).result(60), flush=True)
            if not (child := os.fork()):
                print(counter.ask(1).exception(60), flush=True)
                try:
                    system.states()
                except ActorSystemError as error:
                    print(error, flush=True)
                system.close()
                with ActorSystem(Echo, workers=1, method="forkserver") as another:
                    print(len(another.ask([Envelope(0, b"a")], timeout=60)), flush=True)
                sys.exit(3)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            print(counter.ask(1).result(60), flush=True)
    """
    with run(script, tmp_path) as process:
        output, _ = process.communicate(timeout=120)
    said = "this process is a fork of the one that opened the actor system; open another one here"
    assert output.splitlines() == ["1", said, said, "1", "3", "2"]
