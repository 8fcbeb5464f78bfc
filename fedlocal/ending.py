"""What ends a process in good order: signals, whose number is remembered, and the death of its parent.

A signal may come within a library that makes an error of its own of it, or lets it pass.
"""

import os
import select
import signal
import threading
import time


class _Received:
    signal: int | None = None


def note_signal(number: int) -> None:
    """Remember which signal asked the process to end."""
    _Received.signal = number


def code_of_signal() -> int | None:
    """Return the exit code of the signal that asked the process to end, None if none has."""
    return None if _Received.signal is None else 128 + _Received.signal


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
