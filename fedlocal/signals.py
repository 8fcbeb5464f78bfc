"""The ends of a process in good order: by signals, whose number is remembered, and with its parent.

A signal may come within a library that makes an error of its own of it, or lets it pass.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Collection


class _Received:
    signal: int | None = None


def note_signal(number: int) -> None:
    """Remember which signal asked the process to end."""
    _Received.signal = number


def code_of_signal() -> int | None:
    """Return the exit code of the signal that asked the process to end, None if none has."""
    return None if _Received.signal is None else 128 + _Received.signal


def leave_to_forks(endings: Collection[signal.Signals]) -> None:
    """Have processes that are forked from this one, such as a client's pool, end by these signals as usual.

    The signals are held back while a process is forked: Python forgets what comes before it runs in the
    child.
    """
    if not hasattr(os, "register_at_fork"):
        return

    def release_in_child() -> None:
        for number in endings:
            default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, endings)

    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, endings),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, endings),
        after_in_child=release_in_child,
    )


def end_with_parent() -> None:
    """Have this process end as soon as the process that started it is gone; may be called again."""
    if not any(thread.name == "end with parent" for thread in threading.enumerate()):
        threading.Thread(target=_end, args=(os.getppid(),), name="end with parent", daemon=True).start()


def _end(parent: int) -> None:
    try:
        alive = os.pidfd_open(parent)  # type: ignore[attr-defined, unused-ignore]
    except (AttributeError, OSError):  # only Linux has it
        while os.getppid() == parent:
            time.sleep(1)
    else:
        while os.getppid() == parent:
            select.select([alive], [], [])
    os.kill(os.getpid(), signal.SIGTERM)
