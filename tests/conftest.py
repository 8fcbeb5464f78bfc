"""What all tests share: nothing that a test starts may outlive it."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# As the command does before NumPy loads; actors.worker.threads says why.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
# In the environment of all that these tests start, and of nothing else.
MARK = f"FEDLOCAL_TESTS_{os.getpid()}"
os.environ[MARK] = "1"
LIVED = 60.0  # seconds that a process may take to be gone, on a busy machine

# No verdict of Hypothesis may depend on how busy the machine is; @settings of a test inherit from this.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_sessionstart() -> None:
    if sys.platform != "win32":  # under nohup it is ignored, and so would workers that tests end by it
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    from tests.forking import share_imports  # loads NumPy

    share_imports()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run what is marked slow, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow") or config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: runs with --slow"))


def _descriptors() -> set[str]:
    names = set()
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            names.add(str(fd.readlink()))
    return names


def _processes() -> dict[int, str]:
    """Return the processes that these tests have started, also those that lost their parents."""
    from multiprocessing import forkserver, resource_tracker  # not everywhere

    ancestors = {
        os.getpid(),
        forkserver._forkserver._forkserver_pid,  # type: ignore[attr-defined]
        resource_tracker._resource_tracker._pid,  # type: ignore[attr-defined]
    }
    processes = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) not in ancestors:
            with suppress(OSError):  # gone, or somebody else's
                if MARK.encode() in (process / "environ").read_bytes():
                    processes[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")[:200]
    return processes


def _left(before: dict[int, str]) -> dict[int, str]:
    """Return the processes that are still there after a while; they are ended now."""
    deadline = time.monotonic() + LIVED
    while left := {pid: name for pid, name in _processes().items() if pid not in before}:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)  # others' children: nothing to wait on
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


@pytest.fixture(autouse=True)
def _own_modules() -> Iterator[None]:
    """Forget the modules that a test wrote, or the next one that writes such a file would get this one's."""
    yield
    for name in ("mine", "foreign"):
        sys.modules.pop(name, None)


@pytest.fixture(autouse=True, scope="session")
def _quiet_machine() -> Iterator[None]:
    """Have runs find a quiet machine: how busy others keep it decides nothing here."""
    from fedlocal.results.contention import Machine, Reading
    from fedlocal.schemes import baselines

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Machine, "read", lambda _: Reading(time.perf_counter(), process=0.0, busy=0.0))
        patch.setattr(baselines, "PATIENCE", 1e9)
        yield


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fail if a process, shared memory or a socket that did not exist before is still there afterwards."""
    if sys.platform != "linux":
        yield
        return
    descriptors, processes = _descriptors(), _processes()
    yield
    left_running = _left(processes)
    assert not left_running, f"left running: {left_running}"
    left = _descriptors() - descriptors
    left = {name for name in left if name.startswith(("socket:", "/memfd:", "/dev/shm/"))}  # noqa: S108
    assert not left, f"left open: {left}"
