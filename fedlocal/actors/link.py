"""The supervisor's end of one worker: its process, its socket, and what it has been given."""

import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import Any

from fedlocal.actors.memory import Broadcast, Buffer, SlotPool
from fedlocal.actors.messages import Behaviour
from fedlocal.actors.processes import start_worker
from fedlocal.actors.wire import Frame, FrameReader, Kind, encode, send

READ_AT_ONCE = 1 << 17  # bytes; most frames are smaller, and come several at a time
EXIT_GRACE = (
    0.2  # seconds that a worker whose socket closed has to end by itself, so that its exit code is its own
)


class Link:
    """A worker process behind a non-blocking socket.

    Parameters
    ----------
    worker : int
        The worker's number in its system.
    generation : int
        The number of this process; what carries another one is not from it.
    start : callable
        Builds the behaviour in the worker.
    method : str, optional
        The start method.
    """

    def __init__(
        self, worker: int, generation: int, start: Callable[[], Behaviour], method: str | None = None
    ) -> None:
        self.worker, self.generation, self.ready = worker, generation, False
        self.process, self.sock = start_worker(generation, start, method)
        self.sock.setblocking(False)
        self._reader = FrameReader()
        self._outgoing: deque[tuple[list[memoryview], int]] = deque()
        self._contents: set[int] = {0}
        self._pool = 0

    @property
    def sending(self) -> bool:
        """Whether bytes wait to be written."""
        return bool(self._outgoing)

    def send(
        self,
        kind: Kind,
        fields: dict[str, Any] | None = None,
        parts: Sequence[Buffer] = (),
        fd: int = -1,
    ) -> None:
        """Queue a frame, and a file descriptor with it; write what the socket takes now."""
        self._outgoing.append((encode(kind, self.generation, fields, parts), fd))
        self.write()

    def write(self) -> None:
        """Write as much as the socket takes without blocking."""
        while self._outgoing:
            buffers, fd = self._outgoing[0]
            try:
                rest = send(self.sock, buffers, fd)
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):
                self._outgoing.clear()  # the worker is gone; reading the socket will tell
                return
            if rest:
                self._outgoing[0] = rest, -1
            else:
                self._outgoing.popleft()

    def read(self) -> tuple[list[Frame], bool]:
        """Return the frames that have arrived, and whether the worker's end is still open."""
        arrived: list[Frame] = []
        while True:
            try:
                data = self.sock.recv(READ_AT_ONCE)
            except BlockingIOError:
                return arrived, True
            except ConnectionResetError:
                return arrived, False
            if not data:
                return arrived, False
            arrived += self._reader.feed(data)
            if len(data) < READ_AT_ONCE:
                return arrived, True

    def give(self, content: Broadcast | None, pool: SlotPool | None) -> None:
        """Make sure that the worker has this content and this pool."""
        if pool and pool.number != self._pool:
            self._pool = pool.number
            self.send(Kind.POOL, {"slot_bytes": pool.slot_bytes, "slots": pool.slots}, fd=pool.fd)
        if content and content.number not in self._contents:
            self._contents.add(content.number)
            fields = {"content": content.number, "lengths": content.lengths}
            self.send(Kind.SHARE, fields=fields, parts=[content.header, *content.inline], fd=content.fd)

    def release(self, content: int) -> None:
        """Let the worker drop a content that no message will name again."""
        if content in self._contents:
            self._contents.discard(content)
            self.send(Kind.RELEASE, fields={"content": content})

    def exit_reason(self) -> str:
        """Say in words how the process ended; wait a moment for it to do so."""
        self.process.join(EXIT_GRACE)
        code = self.process.exitcode
        if code is None:
            return "closed its socket"
        return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"

    def end(self) -> None:
        """Kill the process if it lives, reap it, and close the socket."""
        with suppress(OSError):
            self.sock.close()
        if self.process.is_alive():
            _kill_group(self.process)
        self.process.join()
        self.process.close()


def _kill_group(process: BaseProcess) -> None:
    """Kill a worker with the processes that its clients started; it leads a group of its own."""
    if hasattr(os, "killpg") and process.pid:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
