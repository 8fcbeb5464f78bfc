# ruff: noqa: SLF001 - multiprocessing offers no other way to any of it
"""The process that workers fork from: without a name in the file system, and never waited for without end.

:mod:`multiprocessing` starts it and asks it for workers over a socket. A socket's name stays behind when its
owner is killed, and not every folder's path fits into one: so on Linux the socket is known by a descriptor.
The other end may be stopped (SIGSTOP) or stuck while it imports: then whoever waits for it continues it, and
ends it at last. That ends its workers as well; others take their places.
"""

import errno
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import context, process, resource_tracker
from multiprocessing.process import BaseProcess
from tempfile import TemporaryDirectory
from typing import Any

GLANCE = 1.0  # seconds without an answer after which the process is continued, in case that it is stopped

AVAILABLE = "forkserver" in multiprocessing.get_all_start_methods()
if AVAILABLE:
    from multiprocessing import forkserver

    _server: Any = forkserver._forkserver
_socket = -1  # the descriptor by which it is known


def run() -> None:
    """Start the process unless it runs.

    Raises
    ------
    OSError
        If there is no process, descriptor or folder to be had.
    """
    if _runs():
        return
    if sys.platform == "linux":
        _run_without_a_name()
    else:
        forkserver.ensure_running()


def forked(worker: BaseProcess) -> bool:
    """Tell whether a worker comes from the process, which then tells of its end as well."""
    return AVAILABLE and isinstance(worker, context.ForkServerProcess)


def disown(worker: BaseProcess) -> None:
    """Forget a worker in a fork of its parent, which would wait for it at its end, and may not."""
    process._children.discard(worker)  # type: ignore[attr-defined]


def wake() -> None:
    """Continue the process if somebody has stopped it, and the one that keeps its books."""
    if not AVAILABLE:
        return
    for pid in (_server._forkserver_pid, resource_tracker._resource_tracker._pid):  # type: ignore[attr-defined]
        if pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGCONT)


def end() -> None:
    """Kill the process, so that whoever waits for it hears of its end."""
    if AVAILABLE and _server._forkserver_pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(_server._forkserver_pid, signal.SIGKILL)


@contextmanager
def answering(seconds: float | None) -> Iterator[None]:
    """Wait for the process in this context: at most so long, None is without limit, then it is ended.

    Raises
    ------
    OSError
        If there is no thread to be had.
    """
    answered = threading.Event()
    watcher = threading.Thread(target=_watch, args=(answered, seconds), name="fedlocal-start", daemon=True)
    try:
        watcher.start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
    try:
        yield
    finally:
        answered.set()
        watcher.join()


def _watch(answered: threading.Event, seconds: float | None) -> None:
    begun = time.monotonic()
    while not answered.wait(GLANCE):
        wake()
        if seconds is not None and time.monotonic() - begun > seconds:
            end()
            return


def _runs() -> bool:
    pid = _server._forkserver_pid
    if pid is None:
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:  # this process is a fork of its parent, or somebody else waited for it
        _forget()
        return False


def _forget() -> None:
    os.close(_server._forkserver_alive_fd)
    _server._forkserver_address = _server._forkserver_alive_fd = _server._forkserver_pid = None


def _run_without_a_name() -> None:
    global _socket
    config = process.current_process()._config  # type: ignore[attr-defined]
    before = config.get("tempdir")
    with TemporaryDirectory(prefix="fedlocal-") as folder:
        directory = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        config["tempdir"] = f"/proc/self/fd/{directory}"  # short, whatever the folder's path is
        try:
            forkserver.ensure_running()
            named = os.open(_server._forkserver_address, os.O_PATH)
        finally:
            config.pop("tempdir")
            if before is not None:
                config["tempdir"] = before
            os.close(directory)
    if _socket >= 0:
        os.close(_socket)
    _socket, _server._forkserver_address = named, f"/proc/self/fd/{named}"
