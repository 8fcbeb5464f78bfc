"""Why a worker ended, and whose fault it was: that decides what becomes of the message that it handled."""

import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Cause = Literal[
    "exit", "signal", "memory", "deadline", "protocol", "start", "killed", "lost", "withdrawn", "watermark"
]
AT_FAULT = frozenset(("exit", "signal", "memory", "deadline", "protocol", "start"))
FROM_OUTSIDE = (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM))


@dataclass(frozen=True)
class WorkerExit:
    """The end of a worker that nobody had asked to end.

    Parameters
    ----------
    worker : int
        The worker's number in its system.
    generation : int
        The number of its process among all that the system has started.
    cause : str
        ``exit`` (it ended itself), ``signal`` (a fatal one), ``memory`` (the kernel ran out of it),
        ``deadline`` (no answer in time), ``protocol`` (not a frame), ``start`` (it never was ready): its own
        fault, or its message's. ``killed`` (SIGKILL or SIGTERM from outside), ``lost`` (the process that
        workers fork from is gone), ``withdrawn`` (nobody waits for its message any more), ``watermark`` (it
        had grown too large): not its fault.
    detail : str
        The same in words, with the exit code or the signal.
    actors : tuple of int
        Whose messages it was handling, or about to handle if it is to blame.
    """

    worker: int
    generation: int
    cause: Cause
    detail: str
    actors: tuple[int, ...] = ()

    @property
    def at_fault(self) -> bool:
        """Whether the worker, or what it was handling, is to blame."""
        return self.cause in AT_FAULT

    def __str__(self) -> str:
        return f"worker {self.worker} {self.detail}"


def cause_of(exit_code: int, *, out_of_memory: bool) -> tuple[Cause, str]:
    """Return the cause of an end with this exit code, negative for a signal, and the same in words."""
    if exit_code >= 0:
        return "exit", f"exited with code {exit_code}"
    if exit_code == -9 and out_of_memory:
        return "memory", "was killed by the kernel, which was out of memory"
    cause: Cause = "killed" if -exit_code in FROM_OUTSIDE else "signal"
    return cause, f"was killed by {_name(-exit_code)}"


def _name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def out_of_memory_kills() -> int:
    """Return how many processes of this control group the kernel has killed for want of memory."""
    try:
        text = _memory_events().read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))


@cache
def _memory_events() -> Path:
    """Return the file in which the kernel counts its kills: of control groups version 2, or of version 1."""
    mounted, groups = Path("/sys/fs/cgroup"), dict[str, str]()
    with suppress(OSError):  # not Linux
        groups = dict(line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    files = [folder / "memory.events" for folder in _mounts_of(mounted, groups.get("", ""))]
    first = _mounts_of(mounted / "memory", groups.get("memory", ""))
    files += [folder / "memory.oom_control" for folder in first]
    return next((file for file in files if file.is_file()), files[-1])


def _mounts_of(mounted: Path, group: str) -> list[Path]:
    """Return where a group may be mounted: a container may see the end of its path alone."""
    parts = [part for part in group.split("/") if part]
    return [mounted.joinpath(*parts[start:]) for start in range(len(parts) + 1)]
