"""The memory of a whole tree of processes: proportional set sizes, in which a shared page counts once.

Linux alone tells them (``/proc/PID/smaps_rollup``).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PAUSE = 0.02  # seconds from one look to the next


@dataclass
class Peak:
    """The most that was seen so far, in bytes."""

    bytes: int = 0


@contextmanager
def watching(pid: int) -> Iterator[Peak]:
    """Look at the memory of a process and all its descendants, from a thread, for the time of the context.

    To look takes the processor and holds up the process: do not time what is watched.
    """
    peak, over = Peak(), threading.Event()

    def look() -> None:
        while not over.wait(PAUSE):
            peak.bytes = max(peak.bytes, tree(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def tree(pid: int) -> int:
    """Return the bytes of a process and all its descendants."""
    return sum(map(of_process, [pid, *descendants(pid)]))


def of_process(pid: int) -> int:
    """Return the bytes of a process, 0 where it has ended."""
    with suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    children: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = stat.read_text().rpartition(")")[2].split()[1]  # the name before may hold spaces
            children.setdefault(int(parent), []).append(int(stat.parent.name))
    below, look_at = [], [pid]
    while look_at:
        started = children.get(look_at.pop(), [])
        below += started
        look_at += started
    return below


def is_known() -> bool:
    """Tell whether this system tells them."""
    return (PROC / "self" / "smaps_rollup").exists()
