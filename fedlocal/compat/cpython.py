# ruff: noqa: SLF001 - private names are what this module is for
"""CPython's private and undocumented names: the insides of `multiprocessing`, and the end of a process."""

import atexit
import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import context, process, reduction, resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any

__all__ = ["BaseProcess", "Finalize", "ForkServerContext", "SpawnContext"]  # types, and a finaliser at exit

HAS_FORK_SERVER = "forkserver" in multiprocessing.get_all_start_methods()
if HAS_FORK_SERVER:
    from multiprocessing import forkserver

    _server: Any = forkserver._forkserver


def start_fork_server() -> None:
    """Start the fork server unless it runs.

    It relies on ``forkserver.ensure_running``. Without it the first worker would start only when all that
    workers import has been imported, after a run's own preparations and not beside them.
    """
    forkserver.ensure_running()


def fork_server_pid() -> int | None:
    """Return the process number of the fork server, None if none was started.

    It relies on ``_forkserver._forkserver_pid``. Without it a fork server that is stopped, stuck or killed
    could neither be noticed, nor continued, nor ended: a run would wait for it for ever.
    """
    pid: int | None = _server._forkserver_pid if HAS_FORK_SERVER else None
    return pid


def fork_server_address() -> str:
    """Return the address of the socket on which the fork server is asked for processes.

    It relies on ``_forkserver._forkserver_address``; see `set_fork_server_address`.
    """
    address: str = _server._forkserver_address
    return address


def set_fork_server_address(address: str) -> None:
    """Have the fork server be asked at another address of the same socket.

    It relies on ``_forkserver._forkserver_address``. Without it the socket's file would have to stay where it
    was made, and be left behind when its owner is killed.
    """
    _server._forkserver_address = address


def forget_fork_server() -> None:
    """Have the next start make a new fork server: the present one is not this process's child.

    It relies on ``_forkserver._forkserver_alive_fd``, ``_forkserver_address`` and ``_forkserver_pid``.
    Without it multiprocessing would wait for a child that this process, being a fork, does not have, and
    fail.
    """
    os.close(_server._forkserver_alive_fd)
    _server._forkserver_address = _server._forkserver_alive_fd = _server._forkserver_pid = None


@contextmanager
def sockets_in(folder: str) -> Iterator[None]:
    """Have multiprocessing make its sockets in this folder, for the time of the context.

    It relies on the entry ``tempdir`` of the current process's ``_config``. Without it a socket lies in a
    folder whose path may be longer than a socket's address can be, and no worker could start.
    """
    config = process.current_process()._config  # type: ignore[attr-defined]
    before = config.get("tempdir")
    config["tempdir"] = folder
    try:
        yield
    finally:
        config.pop("tempdir")
        if before is not None:
            config["tempdir"] = before


def start_resource_tracker() -> None:
    """Start the process that removes what other processes leave behind, unless it runs.

    It relies on ``resource_tracker.ensure_running``. Without it multiprocessing starts that process along
    with a worker, and unblocks Ctrl-C in between, which would then end the worker.
    """
    resource_tracker.ensure_running()


def resource_tracker_pid() -> int | None:
    """Return the process number of the resource tracker, None if none was started.

    It relies on ``_resource_tracker._pid``. Without it a tracker that somebody has stopped could not be
    continued, and the start of a worker would wait for it.
    """
    pid: int | None = resource_tracker._resource_tracker._pid  # type: ignore[attr-defined]
    return pid


def is_from_fork_server(worker: BaseProcess) -> bool:
    """Tell whether a process comes from the fork server.

    It relies on ``context.ForkServerProcess``. Without it nobody knows whether to wait for the fork server.
    """
    return HAS_FORK_SERVER and isinstance(worker, context.ForkServerProcess)


def forget_child(worker: BaseProcess) -> None:
    """Have multiprocessing not wait for a process when this one ends.

    It relies on ``process._children``. Without it a fork of a process with workers ends with an error, since
    they are not its children.
    """
    process._children.discard(worker)  # type: ignore[attr-defined]


def check_is_spawning(content: object) -> None:
    """Raise RuntimeError unless an object is pickled for a process that is being started.

    It relies on ``context.assert_spawning``. Without it a descriptor could be pickled where it means nothing.
    """
    context.assert_spawning(content)


def inheritable(descriptor: int) -> Any:
    """Return what pickles as a descriptor of the process that is being started; its ``detach`` gives it.

    It relies on ``reduction.DupFd``. Without it no memory could be shared with workers.
    """
    return reduction.DupFd(descriptor)


def clear_exit_functions() -> None:
    """Forget what was to be done at the end of this process.

    It relies on ``atexit._clear``. Without it a worker would do at its end what was registered in the fork
    server by libraries that were imported there.
    """
    atexit._clear()


def run_exit_functions() -> None:
    """Wait for threads, and do now what is registered for the end of this process.

    It relies on ``threading._shutdown``, which runs again at the end and does nothing then, and on
    ``atexit._run_exitfuncs``. Without them multiprocessing leaves all this out in a fork, and files of the
    pools that actors have made, such as joblib's, stay behind.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
