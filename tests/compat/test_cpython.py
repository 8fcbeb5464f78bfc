"""CPython's private names that fedlocal needs, each with what depends on it."""

import multiprocessing
import platform
from multiprocessing import context, process, reduction, resource_tracker, util

import pytest

from fedlocal.compat import cpython
from tests.compat.private_names import PrivateName, by_name, said, takes

pytestmark = pytest.mark.skipif(not cpython.HAS_FORK_SERVER, reason="no fork server on this platform")

FORK_SERVER = """
import os, signal, tempfile
from fedlocal.compat import cpython as c
first = c.fork_server_pid(), c.resource_tracker_pid()
with tempfile.TemporaryDirectory() as folder:
    with c.sockets_in(folder):
        c.start_fork_server()
    pid, address = c.fork_server_pid(), c.fork_server_address()
    print(first, os.path.dirname(address) == folder, c.resource_tracker_pid() > 0)
    c.set_fork_server_address("elsewhere")
    print(c.fork_server_address())
    c.forget_fork_server()
    print(c.fork_server_pid())
    os.kill(pid, signal.SIGKILL)
"""
END = """
import atexit
from fedlocal.compat import cpython
atexit.register(print, "cleared")
cpython.clear_exit_functions()
atexit.register(print, "once")
cpython.run_exit_functions()
"""


def _with_folder() -> bool:
    with cpython.sockets_in("/somewhere"):
        inside = util.get_temp_dir() == "/somewhere"
    return inside and process.current_process()._config.get("tempdir") != "/somewhere"  # type: ignore[attr-defined]


def _refuses_outside_a_start() -> bool:
    try:
        cpython.check_is_spawning(object())
    except RuntimeError:
        return True
    return False


NAMES = [
    PrivateName(
        "multiprocessing.forkserver._forkserver",
        lambda: (
            {"_forkserver_pid", "_forkserver_address", "_forkserver_alive_fd"} <= vars(cpython._server).keys()
        ),
        "the process that workers fork from: its start, watch and end (fedlocal.actors.worker.fork_server)",
    ),
    PrivateName(
        "multiprocessing.forkserver.ensure_running",
        lambda: said(FORK_SERVER) == ["(None,", "None)", "True", "True", "elsewhere", "None"],
        "starting the process that workers fork from without a name (fedlocal.actors.worker.fork_server)",
    ),
    PrivateName(
        "multiprocessing.resource_tracker._resource_tracker",
        lambda: (
            isinstance(cpython.resource_tracker_pid(), int | None)
            and callable(resource_tracker.ensure_running)
        ),
        "continuing a stopped tracker, and Ctrl-C while a worker starts (fedlocal.actors.worker.processes)",
    ),
    PrivateName(
        "multiprocessing.process._children",
        lambda: isinstance(process._children, set),  # type: ignore[attr-defined]
        "the end of a fork of a process with workers (fedlocal.actors.engine.supervisor)",
    ),
    PrivateName(
        "multiprocessing.process.BaseProcess._config",
        _with_folder,
        "workers where the temporary folder's path is long (fedlocal.actors.worker.fork_server)",
    ),
    PrivateName(
        "multiprocessing.context.ForkServerProcess",
        lambda: issubclass(context.ForkServerProcess, cpython.BaseProcess),
        "knowing which workers' ends the fork server tells of (fedlocal.actors.worker.processes)",
    ),
    PrivateName(
        "multiprocessing.context.ForkServerContext, SpawnContext",
        lambda: (
            isinstance(multiprocessing.get_context("forkserver"), cpython.ForkServerContext)
            and isinstance(multiprocessing.get_context("spawn"), cpython.SpawnContext)
        ),
        "starting workers (fedlocal.actors.worker.processes)",
    ),
    PrivateName(
        "multiprocessing.context.assert_spawning",
        _refuses_outside_a_start,
        "refusing to pickle shared memory for anybody but a new worker (Block)",
    ),
    PrivateName(
        "multiprocessing.reduction.DupFd",
        lambda: takes(reduction.DupFd, "fd"),
        "handing shared memory to a new worker (Block)",
    ),
    PrivateName(
        "multiprocessing.util.Finalize",
        lambda: takes(cpython.Finalize, "obj", "callback", "args", "exitpriority"),
        "ending the workers of a system that nobody has closed (fedlocal.actors.system)",
    ),
    PrivateName(
        "atexit._clear, atexit._run_exitfuncs, threading._shutdown",
        lambda: said(END) == ["once"],
        "ending the pools that actors have made, such as joblib's (fedlocal.actors.worker.main)",
    ),
]


@pytest.mark.parametrize("private", NAMES, ids=by_name)
def test_a_private_name_of_cpython_is_as_before(private: PrivateName) -> None:
    private.check(f"CPython {platform.python_version()}")
