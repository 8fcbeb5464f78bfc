"""The process that workers fork from: without a name in the file system, and never waited for without end.

:mod:`multiprocessing` starts it and asks it for workers over a socket. A socket's name stays behind when its
owner is killed, and not every folder's path fits into one: so on Linux the socket is known by a descriptor.
The other end may be stopped (SIGSTOP) or stuck while it imports: then whoever waits for it continues it, and
ends it at last. That ends its workers as well; others take their places.
"""

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory

from fedlocal.compat import cpython

GLANCE = 1.0  # seconds without an answer after which the process is continued, in case that it is stopped

AVAILABLE = cpython.HAS_FORK_SERVER
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
        _run_without_name()
    else:
        cpython.start_fork_server()


def wake() -> None:
    """Continue the process and the resource tracker, in case that somebody has stopped them."""
    if not AVAILABLE:
        return
    for pid in (cpython.fork_server_pid(), cpython.resource_tracker_pid()):
        if pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGCONT)


def end() -> None:
    """Kill the process, so that whoever waits for it hears of its end."""
    pid = cpython.fork_server_pid()
    if pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
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
    started_at = time.monotonic()
    while not answered.wait(GLANCE):
        wake()
        if seconds is not None and time.monotonic() - started_at > seconds:
            end()
            return


def _runs() -> bool:
    pid = cpython.fork_server_pid()
    if pid is None:
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:  # this process is a fork of its parent, or somebody else waited for it
        cpython.forget_fork_server()
        return False


def _run_without_name() -> None:
    global _socket
    with TemporaryDirectory(prefix="fedlocal-") as folder:
        directory = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            with cpython.sockets_in(f"/proc/self/fd/{directory}"):  # short, whatever the folder's path is
                cpython.start_fork_server()
                named = os.open(cpython.fork_server_address(), os.O_PATH)
        finally:
            os.close(directory)
    if _socket >= 0:
        os.close(_socket)
    _socket = named
    cpython.set_fork_server_address(f"/proc/self/fd/{named}")
