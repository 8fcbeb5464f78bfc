"""Starting worker processes: never a plain fork, never the user's ``__main__``, one BLAS thread from birth.

A plain fork of a process with BLAS threads can deadlock in the child; ``forkserver`` forks from a process
that has none, and ``spawn`` stands in where it is missing. Both would run the user's ``__main__`` again in
each child, so it is hidden while a process starts: a script needs no ``if __name__ == "__main__"``.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType

from fedlocal.actors.messages import Behaviour
from fedlocal.actors.policy import Policy
from fedlocal.actors.worker import fork_server
from fedlocal.actors.worker import main as worker
from fedlocal.actors.worker.threads import ONE_THREAD
from fedlocal.compat import cpython
from fedlocal.compat.cpython import BaseProcess, ForkServerContext, SpawnContext

START_METHODS = ("forkserver", "spawn")
DESCRIPTORS = 14  # that a start opens at most, in passing


def _context(method: str | None) -> ForkServerContext | SpawnContext:
    available = multiprocessing.get_all_start_methods()
    chosen = method or next(name for name in START_METHODS if name in available)
    if chosen == "forkserver":
        return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")


def warm_up(preload: Sequence[str]) -> None:
    """Start the process that workers fork from, if there is one here, and return at once.

    It imports `preload` while the caller goes on; workers start in milliseconds afterwards.
    """
    if not fork_server.AVAILABLE:
        return
    with _quiet_start(), suppress(OSError):  # whoever starts a worker is told
        multiprocessing.set_forkserver_preload([__name__, *preload])
        fork_server.run()


def start_worker(
    generation: int, start: Callable[[], Behaviour], policy: Policy, method: str | None = None
) -> tuple[BaseProcess, socket.socket]:
    """Start a worker process; return it and the supervisor's end of its private socket.

    Parameters
    ----------
    generation : int
        The number that the worker puts on all its frames.
    start : callable
        Builds the behaviour there; it must pickle.
    policy : Policy
        The limits that a worker keeps by itself: of memory, and of the size of a reply.
    method : {"forkserver", "spawn"}, optional
        The start method; by default the first that this platform has.

    Raises
    ------
    ConnectionError
        If the process that workers fork from ended meanwhile, or was ended since it did not answer within the
        start deadline; the next start makes a new one.
    OSError
        If there is no process or descriptor to be had.
    """
    default = multiprocessing.get_start_method(allow_none=True)
    their_method = default if default in multiprocessing.get_all_start_methods() else None
    ours, theirs = socket.socketpair()
    try:
        process = _context(method).Process(
            target=worker.main,
            args=(theirs, generation, start, policy, their_method),
            name=f"fedlocal-worker-{generation}",
        )
        with _quiet_start():
            _check_descriptors()
            _start(process, policy.start_deadline)
    except EOFError as error:
        ours.close()
        raise ConnectionResetError("the process that workers fork from ended meanwhile") from error
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()  # or the end of the child would never show as the end of the stream
    return process, ours


def _start(process: BaseProcess, seconds: float | None) -> None:
    if not cpython.is_from_fork_server(process):
        process.start()
        return
    fork_server.run()
    fork_server.wake()
    with fork_server.time_limit(seconds):
        process.start()


def await_end(process: BaseProcess, seconds: float) -> None:
    """Wait until the end of a killed worker is known; the process that has to tell of it is ended at last."""
    process.join(seconds)
    if process.exitcode is None and cpython.is_from_fork_server(process):
        fork_server.end()
        process.join(seconds)


def break_off() -> None:
    """End a start that is under way, with the process that it waits for."""
    if _starting.locked():
        fork_server.end()


def _check_descriptors() -> None:
    """Raise OSError unless a start may open what it takes: one that fails half-way ends the fork server."""
    opened: list[int] = []
    try:
        while len(opened) < DESCRIPTORS:
            opened += os.pipe()
    except OSError as error:
        advice = f"a worker takes {DESCRIPTORS} more to start; let this process have more (ulimit -n)"
        raise OSError(error.errno, f"{error.strerror}: {advice}") from error
    finally:
        for fd in opened:
            os.close(fd)


_starting = threading.Lock()


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Hide ``__main__`` from new processes, and have numeric libraries load there with one thread.

    Ctrl-C, which a terminal sends to all of them, is for this process alone to act upon.
    """
    with _starting, _interrupts_blocked(), _valid_start_method():
        yield from _hidden_main()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    cpython.start_resource_tracker()  # it would unblock them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what is blocked stays so in a child
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _valid_start_method() -> Iterator[None]:
    """Hide another library's default start method, such as joblib's: new processes do not know its name."""
    default = multiprocessing.get_start_method(allow_none=True)
    if default is None or default in multiprocessing.get_all_start_methods():
        yield
        return
    multiprocessing.set_start_method("spawn", force=True)
    try:
        yield
    finally:
        multiprocessing.set_start_method(default, force=True)


def _hidden_main() -> Iterator[None]:
    main, environment = sys.modules["__main__"], {name: os.environ.get(name) for name in ONE_THREAD}
    sys.modules["__main__"] = ModuleType("__main__")
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in environment.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
