"""The processes of one run, known by a mark in the environment that they were started with; Linux only.

A signal goes through a pidfd, opened before the mark is read: it cannot hit a process that has taken over the
number of one that ended meanwhile.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "FEDLOCAL_NEMESIS"
POLL = 0.05  # seconds


@dataclass(frozen=True)
class Process:
    """A process of the run: its number, its parent's, that of its session's leader, and its command line."""

    pid: int
    parent: int
    session: int
    command: bytes


def of_run(mark: str) -> list[Process]:
    """Return the living processes that carry a mark."""
    return list(_marked(f"{MARK}={mark}".encode()))


def _marked(entry: bytes) -> Iterator[Process]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has ended, or is not ours
                if entry in (folder / "environ").read_bytes().split(b"\0"):
                    fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                    command = (folder / "cmdline").read_bytes()
                    if fields[0] not in "ZX":
                        yield Process(int(folder.name), int(fields[1]), int(fields[3]), command)


def strike(process: Process, number: signal.Signals, mark: str) -> bool:
    """Send a process of the run a signal; return False if it has ended before."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        if f"{MARK}={mark}".encode() not in environment.split(b"\0"):
            return False
        signal.pidfd_send_signal(fd, number)
    except (OSError, ProcessLookupError):
        return False
    finally:
        os.close(fd)
    return True


def abandoned(folder: Path, before: set[Path]) -> set[Path]:
    """Return new files of this user that no living process uses: what others use is not left of a run."""
    new = {path for path in folder.iterdir() if path not in before}
    with suppress(OSError):  # what goes meanwhile is somebody else's
        new = {path for path in new if path.stat().st_uid == os.getuid()}
    return new - _in_use(folder)


def _in_use(folder: Path) -> set[Path]:
    """Return the files of a folder that living processes map or have open."""
    targets = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is not ours
            for entry in [*(process / "map_files").iterdir(), *(process / "fd").iterdir()]:
                with suppress(OSError):
                    targets.add(entry.readlink())
    return {path for path in targets if path.parent == folder}


def left_over(mark: str, patience: float) -> list[Process]:
    """Return what of a run still lives after `patience` seconds; it is killed."""
    until = time.monotonic() + patience
    while (alive := of_run(mark)) and time.monotonic() < until:
        time.sleep(POLL)
    end(mark)
    return alive


def end(mark: str) -> None:
    """Kill all processes of a run."""
    while alive := of_run(mark):
        for process in alive:
            strike(process, signal.SIGKILL, mark)
        time.sleep(POLL)
