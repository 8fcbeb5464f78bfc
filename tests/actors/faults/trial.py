"""A trial: one actor system under fault, and a checker over its journal."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from fedlocal.actors import ActorSystem, Audit, Envelope, Reply, Result, WorkerExit, audit
from fedlocal.actors.engine.audit import events
from fedlocal.actors.engine.worker_connection import WorkerConnection
from fedlocal.actors.engine.worker_pool import WorkerPool

PATIENCE = 120.0  # seconds for what takes a moment, on a busy machine
everywhere = pytest.mark.parametrize(
    "open_trial",
    ["forkserver", *(pytest.param(how, marks=pytest.mark.slow) for how in ("frames", "spawn"))],
    indirect=True,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, or limits what Linux limits")

PRELUDE = """
import logging, os, resource, sys, time
from pathlib import Path
from fedlocal.actors import ActorSystem, ActorSystemError, Envelope, Failure, Policy, audit
from tests.actors.faults.misbehaviour import Faulty, order
logging.basicConfig(format="%(message)s")
"""


@dataclass
class Trial:
    """A system whose journal is checked when it is closed."""

    system: ActorSystem
    path: Path
    deaths: list[WorkerExit] = field(default_factory=list)
    closed: Audit | None = None

    def ask(self, envelopes: Sequence[Envelope], timeout: float = PATIENCE) -> list[Result]:
        """Send messages and wait; none may be left waiting."""
        return self.system.ask(envelopes, timeout)

    def ask_actor(self, actor: int, body: bytes = b"", **fields: Any) -> Result:
        """Send one message and wait."""
        return self.ask([Envelope(actor, body, **fields)])[0]

    @property
    def causes(self) -> list[str]:
        """The causes of all deaths, in the end."""
        self.close()
        return [death.cause for death in self.deaths]

    def pids(self) -> list[int]:
        """Return the process numbers of the workers that live now."""
        return self._pids(lambda pool: pool.connections)

    def _pids(self, workers: Callable[[WorkerPool], Iterable[WorkerConnection]]) -> list[int]:
        """Read them in the supervisor's thread: in another, a process may be closed between two looks."""
        supervisor, pids = self.system._supervisor, SimpleQueue[list[int]]()
        read = supervisor.call(
            lambda: pids.put([connection.process.pid or 0 for connection in workers(supervisor.pool)])
        )
        return pids.get(timeout=PATIENCE) if read else []

    def run_out(self, concerns: Callable[[WorkerConnection], object]) -> None:
        """Let its deadline pass for one worker, as soon as it is as described; the others have time."""
        supervisor, late = self.system._supervisor, list[WorkerConnection]()

        def backdate() -> None:  # in the supervisor's thread, which looks at the clock next
            for connection in () if late else filter(concerns, supervisor.pool.connections):
                connection.progress.since -= supervisor._policy.deadline or 0.0
                late.append(connection)

        assert until(lambda: late or not supervisor.call(backdate))

    def ready(self) -> list[int]:
        """Return the process numbers of the workers that take messages now."""
        return self._pids(lambda pool: pool.ready.values())

    def close(self) -> Audit:
        """Close the system and check its journal: every message has exactly one result."""
        if self.closed is None:
            self.system.close(grace=1)
            self.closed = audit(self.path)
            summary = self.closed
            assert summary.sound, summary
            assert (summary.lost, summary.duplicated, summary.unexpected, summary.interrupted) == (0, 0, 0, 0)
        return self.closed

    def handled(self) -> list[int]:
        """Return the messages that an actor began to handle, as often as that was so; after the end."""
        self.close()
        return sorted(event["message"] for event in events(self.path) if event["event"] == "acknowledged")


Open = Callable[..., Trial]


def bodies(results: Sequence[Result]) -> list[bytes]:
    """Return the bodies of replies; all must be some."""
    assert all(isinstance(result, Reply) for result in results), results
    return [bytes(result.wire.body) for result in results if isinstance(result, Reply)]


def until(holds: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Wait for something that another process does; tell whether it came about."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def script(text: str, *arguments: object, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run a script that follows `PRELUDE` in a process of its own."""
    command = [sys.executable, "-c", PRELUDE + text, *map(str, arguments)]
    both: Any = {"capture_output": True, "text": True, "timeout": 2 * PATIENCE, "check": False, **options}
    done: subprocess.CompletedProcess[str] = subprocess.run(command, **both)
    return done


def handles(message: int) -> Callable[[WorkerConnection], bool]:
    """Return whether a worker handles a message now."""
    return lambda connection: message in connection.handling()


def gone(pid: int) -> bool:
    """Tell whether a process has ended."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
