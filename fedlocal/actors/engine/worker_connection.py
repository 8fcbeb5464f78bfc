"""The supervisor's end of one worker: its process, its socket, and what it has been given."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fedlocal.actors.batch import Task
from fedlocal.actors.engine.exit_causes import AT_FAULT, Cause, WorkerExit, cause_of, out_of_memory_kills
from fedlocal.actors.messages import Behaviour
from fedlocal.actors.policy import Policy
from fedlocal.actors.worker import fork_server
from fedlocal.actors.worker.frames import Frame, FrameKind, FrameReader, ProtocolError, encode, send
from fedlocal.actors.worker.processes import await_end, start_worker
from fedlocal.memory.block import Block
from fedlocal.memory.buffers import LAST_FRAME, AckWord, Broadcast, SlotPool
from fedlocal.memory.parts import Buffer, Bytes

READ_AT_ONCE = 1 << 17  # bytes; most frames are smaller, and come several at a time
MARGIN = 1 << 25  # bytes that a frame may have beside one message: small replies share frames
# Seconds that a worker whose socket closed has to end by itself, so that its exit code is its own.
EXIT_GRACE = 0.2
SILENT = 0.1  # seconds without an answer after which a worker's messages are better handled by an idle one
REAPED = 10.0  # seconds in which the end of a killed worker is known
MAX_TOGETHER = 255  # messages that an acknowledgement may name
LOST = 255  # what multiprocessing says if the process that workers fork from is gone


@dataclass
class InFlight:
    """A message that a worker holds, the slot for its reply, and the frame that brought it."""

    task: Task
    pool: SlotPool | None
    slot: int
    frame: int

    def arrays(self, lengths: Sequence[int]) -> list[Bytes]:
        """Return the arrays in its slot, which is free when nobody looks at them any more.

        Raises
        ------
        ValueError
            If it has no slot, or these do not fit.
        """
        if self.pool is None:
            raise ValueError("its message has no slot")
        return self.pool.read(self.slot, tuple(lengths))

    def free_slot(self) -> None:
        """Give the slot back that nobody will write to or read from."""
        if self.pool:
            self.pool.free(self.slot)


@dataclass
class WorkerProgress:
    """When a worker last gave a sign of life (``time.monotonic``), and what it has done."""

    since: float = field(default_factory=time.monotonic)
    ready: bool = False
    handled: int = 0
    leaving: bool = False  # it has said that it takes no more messages
    acknowledged: tuple[int, int] = (0, 0)  # as frames said, where there is no shared word


class WorkerConnection:
    """A worker process behind a non-blocking socket.

    Raises
    ------
    OSError
        If there is no process, socket or memory to be had.
    """

    def __init__(
        self,
        worker: int,
        generation: int,
        start: Callable[[], Behaviour],
        policy: Policy,
        method: str | None = None,
    ) -> None:
        self.worker, self.generation = worker, generation
        self.progress = WorkerProgress()
        self.in_flight: dict[int, InFlight] = {}  # by message, in the worker's order
        self._oom_kills = out_of_memory_kills()
        self._reader = FrameReader(policy.max_message + MARGIN)
        self._outgoing: deque[tuple[list[memoryview], Block | None]] = deque()
        self.frames = 0  # with messages, so far
        self._recalled: list[InFlight] = []
        self._recalled_up_to = 0
        self._contents: set[int] = {0}
        self._pool = 0
        self.open = True  # as far as is known, the worker's end is too
        self.process, self.sock = start_worker(generation, start, policy, method)
        self.sock.setblocking(False)
        self._ack_word: AckWord | None = None  # without one, acknowledgements are frames
        with suppress(OSError):  # of no descriptor to be had
            if block := Block.for_running(AckWord.BYTES):
                self._ack_word = AckWord(block)
                self.send(FrameKind.ACK_WORD, block=block)

    @property
    def sending(self) -> bool:
        """Whether bytes wait to be written."""
        return bool(self._outgoing)

    def send(
        self,
        kind: FrameKind,
        fields: dict[str, Any] | None = None,
        parts: Sequence[Buffer] = (),
        block: Block | None = None,
    ) -> None:
        """Queue a frame, and the descriptor of a block with it; write what the socket takes now."""
        self._outgoing.append((encode(kind, self.generation, fields, parts), block))
        self.write()

    def write(self) -> None:
        """Write as much as the socket takes without blocking."""
        while self._outgoing:
            buffers, block = self._outgoing[0]
            try:
                rest = send(self.sock, buffers, block.descriptor if block else -1)
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):
                self._outgoing.clear()  # the worker is gone; reading the socket will tell
                return
            if rest:
                self._outgoing[0] = rest, None
            else:
                self._outgoing.popleft()

    def read(self) -> Iterator[Frame]:
        """Yield the frames that have arrived, also those before an error, and note if the end has come.

        Raises
        ------
        ProtocolError
            At bytes that are not a frame.
        """
        while True:
            try:
                data = self.sock.recv(READ_AT_ONCE)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            self.open = bool(data)
            yield from self._reader.feed(data)
            if len(data) < READ_AT_ONCE:
                return

    def give(self, content: Broadcast | None, pool: SlotPool | None) -> None:
        """Send the worker this content and this pool, unless it has them."""
        if pool and pool.number != self._pool:
            self._pool = pool.number
            self.send(FrameKind.POOL, {"slot_bytes": pool.slot_bytes, "slots": pool.slots}, block=pool.block)
        if content and content.number not in self._contents:
            self._contents.add(content.number)
            fields = {"content": content.number, "lengths": content.lengths}
            self.send(FrameKind.SHARE, fields, [content.header, *content.inline], content.block)

    def release(self, content: int) -> None:
        """Let the worker drop a content that no message will name again."""
        if content in self._contents:
            self._contents.discard(content)
            self.send(FrameKind.RELEASE, fields={"content": content})

    def acknowledge(self, frame: Frame) -> None:
        """Note which messages the worker handles, as a frame says.

        Raises
        ------
        ProtocolError
            If the frame does not hold a valid acknowledgement.
        """
        try:
            message, count = int(frame.fields["message"]), int(frame.fields["count"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ProtocolError(f"not an acknowledgement: {error}") from error
        if not 1 <= count <= MAX_TOGETHER:
            raise ProtocolError(f"{count} messages acknowledged at once")
        if (message, count) == self.progress.acknowledged:
            raise ProtocolError(f"message {message} acknowledged twice")
        self.progress.acknowledged = message, count

    def handling(self) -> list[int]:
        """Return the messages that the worker has acknowledged, and not yet replied to."""
        first, count = self._acknowledged()
        if not count:
            return []
        order = list(self.in_flight)
        start = order.index(first)
        return order[start : start + count]

    def _acknowledged(self) -> tuple[int, int]:
        """Return the first message that is being handled, and how many are, together."""
        first, count = self._ack_word.read() if self._ack_word else self.progress.acknowledged
        return (first, count) if first in self.in_flight else (0, 0)

    def recall_at(self) -> float | None:
        """Return when what the worker holds in advance is better handled by an idle one; None for never."""
        if len(self.in_flight) < 2 or self._ack_word is None or self.frames > LAST_FRAME:
            return None
        return self.progress.since + SILENT if len(self.in_flight) > len(self._started()) else None

    def _started(self) -> list[int]:
        return self.handling() or list(self.in_flight)[:1]

    def recall(self) -> list[Task]:
        """Take back the messages that the worker has not begun.

        The worker may begin to handle one of them just now: its answer is dropped, as any second answer is.
        """
        if self._ack_word is None:
            return []
        kept = self._started()
        self._ack_word.write_recall(self.frames, kept[0])
        taken = [self.in_flight.pop(message) for message in list(self.in_flight) if message not in kept]
        self._recalled += taken
        self._recalled_up_to = self.frames
        return [flight.task for flight in taken]

    def on_answer(self, frame: int) -> None:
        """Note an answer to a message of this frame: the worker writes to no slot of earlier frames."""
        if self._recalled and frame > self._recalled_up_to:
            self.free_recalled()

    def free_recalled(self) -> None:
        """Give the slots of messages back that were taken back."""
        for flight in self._recalled:
            flight.free_slot()
        self._recalled.clear()

    def suspects(self, cause: Cause) -> list[int]:
        """Return the messages that an end with this cause may be due to.

        Those are what the worker handles; or, if it handles nothing and is to blame, the next message: that
        may have been too much for the worker before its actor saw it.
        """
        return self.handling() or (list(self.in_flight)[:1] if cause in AT_FAULT else [])

    def overdue_at(self, policy: Policy) -> float | None:
        """Return when the worker will have taken too long (``time.monotonic``); None for never."""
        if not self.progress.ready:
            return None if policy.start_deadline is None else self.progress.since + policy.start_deadline
        if not self.in_flight or policy.deadline is None:
            return None
        return self.progress.since + policy.deadline * max(1, self._acknowledged()[1])

    def end(self, cause: Cause | None = None, detail: str = "") -> WorkerExit:
        """Kill the process if it lives, reap it, and return how it ended: as given, or by its exit code."""
        fork_server.wake()  # it tells of the end, and somebody may have stopped it
        self.process.join(EXIT_GRACE if cause is None else 0)
        code, pid = self.process.exitcode, self.process.pid or 0
        if code == LOST and cause is None and _exists(pid):
            cause, detail = "lost", "was lost: the process that workers fork from is gone"
        _kill(pid, reaped=code is not None and cause != "lost")
        await_end(self.process, REAPED)
        if cause is None and self.progress.leaving and code == 0:
            cause, detail = "watermark", "had grown too large"
        elif cause is None and code is None:
            cause, detail = "exit", "closed its socket"
        elif cause is None and code is not None:
            cause, detail = cause_of(code, out_of_memory=out_of_memory_kills() > self._oom_kills)
        self.sock.close()
        with suppress(ValueError):  # the kernel cannot end it: it waits for a device
            self.process.close()
        if self._ack_word:
            self.progress.acknowledged = self._ack_word.read()
            self._ack_word.close()
            self._ack_word = None
        cause = cause or "exit"
        actors = tuple(self.in_flight[message].task.envelope.actor for message in self.suspects(cause))
        return WorkerExit(self.worker, self.generation, cause, detail, actors)


def _exists(pid: int) -> bool:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, 0)
        return True
    return False


def _kill(pid: int, *, reaped: bool) -> None:
    """Kill a worker and what its actors started: it leads their group of processes, which may outlive it."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    if not reaped:  # it may not have become a leader yet
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
