"""A worker: one process that runs actors, one message at a time. This module is all that runs there.

It takes no decision: it handles what the supervisor sends it, in that order, and it ends when its socket
closes. Its process group is its own, so that whatever a client starts can be ended with it.
"""

import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from fedlocal.actors.messages import ActorRequest, Behaviour, Outcome, Stacking, Wire
from fedlocal.actors.policy import MEBIBYTE, Policy
from fedlocal.actors.worker.frames import (
    MAX_ARRAYS,
    Addressed,
    Frame,
    FrameKind,
    Handled,
    encode,
    frames,
    send,
)
from fedlocal.actors.worker.threads import limit_this_process
from fedlocal.compat import cpython
from fedlocal.memory.block import Block
from fedlocal.memory.buffers import AckWord, Slots, map_broadcast
from fedlocal.memory.parts import Buffer, raw

F_SETSIG = 10  # of Linux; Python's fcntl does not name it
PATIENCE = 0.001  # seconds that a reply waits for others to share its frame
HELD_BYTES = 1 << 24  # of replies that wait
MAX_ERROR = 20_000  # characters of a traceback that travel; the end of it says most


def main(
    sock: socket.socket,
    generation: int,
    start: Callable[[], Behaviour],
    policy: Policy,
    method: str | None = None,
) -> None:
    """Build the behaviour and answer messages until told to stop.

    What actors start by :mod:`multiprocessing` starts by `method`, as in the supervisor's process: a worker's
    own start method would be inherited, and what they start may not pickle.
    """
    forked = multiprocessing.get_start_method() == "forkserver"
    multiprocessing.set_start_method(method, force=True)
    if forked:  # what the process before has to do at its end is not for this one to do
        cpython.clear_exit_functions()
    _separate_from_parent()
    _limit_memory(policy)
    worker = _Worker(sock, generation, policy)
    try:
        limit_this_process()
        worker.serve(start())
        limit_this_process()
        gc.freeze()  # what was imported stays: the collector need not look at it again
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor must hear of it
        fields = _error_fields(error)
        if type(error).__module__.startswith("fedlocal."):  # says in words what is wrong
            fields["traceback"] = str(error)
        worker.send(FrameKind.BROKEN, fields)
        return
    worker.send(FrameKind.READY, {"pid": os.getpid()})
    for number, (frame, fd) in enumerate(frames(sock)):
        if number == 0:
            _have_the_kernel_end_this()
        if frame.kind is FrameKind.STOP:
            break
        worker.on_frame(frame, fd)
        if worker.leaving:
            break
    # Before multiprocessing removes the semaphores that processes which start just now are to use.
    cpython.run_exit_functions()


def _separate_from_parent() -> None:
    if os.environ.get("PYTHONSAFEPATH") == "fedlocal":  # the command's, and not for programs of an app
        del os.environ["PYTHONSAFEPATH"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to turn into an orderly stop
    if hasattr(os, "setsid"):
        os.setsid()
    parent = parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            if hasattr(os, "killpg"):
                os.killpg(0, signal.SIGKILL)  # with all that actors have started
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True, name="watch-parent").start()


def _have_the_kernel_end_this() -> None:
    """Have this group of processes killed when the pipe to the supervisor closes.

    Unlike a thread, the kernel can do so while the process is stopped, or native code holds the interpreter.
    Whatever happens to the pipe is the signal. The supervisor writes to it while it starts this process, and
    the kernel may tell of that after the bytes have been read here: so not before its first frame has come.
    """
    parent = parent_process()
    if parent is None or sys.platform != "linux":
        return
    import fcntl  # not on Windows

    sentinel = parent.sentinel
    fcntl.fcntl(sentinel, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(sentinel, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(sentinel, fcntl.F_SETFL, fcntl.fcntl(sentinel, fcntl.F_GETFL) | os.O_ASYNC)


def _limit_memory(policy: Policy) -> None:
    """Have this process die before its supervisor does, and of its own excess before that of all."""
    with suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text("500")
    if policy.memory_limit is not None:
        import resource  # not on Windows

        limit = policy.memory_limit * MEBIBYTE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _resident_memory() -> int:
    """Return the mebibytes of memory that this process has in use, at most so far where that is all known."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
        return peak // MEBIBYTE
    return pages * os.sysconf("SC_PAGESIZE") // MEBIBYTE


_Answer = tuple[bytes, bytes, list[memoryview], bytes]  # header, body, arrays, new state


class _Worker:
    """What a worker remembers between frames: mapped memory and the states of the actors it last ran."""

    def __init__(self, sock: socket.socket, generation: int, policy: Policy) -> None:
        self.leaving = False
        self._sock, self._generation, self._policy = sock, generation, policy
        self._ack_word: AckWord | None = None
        self._contents: dict[int, tuple[bytes, tuple[memoryview, ...]]] = {0: (b"", ())}
        self._states: dict[int, bytes] = {}
        self._pool: Slots | None = None
        self._replies: list[Handled] = []  # not yet sent
        self._parts: list[Buffer] = []
        self._held = 0  # their bytes
        self._frames = 0  # with messages, so far

    def serve(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._stacking = behaviour if isinstance(behaviour, Stacking) else None  # asked once: it is slow

    def send(self, kind: FrameKind, fields: dict[str, Any], parts: Sequence[Buffer] = ()) -> None:
        rest = encode(kind, self._generation, fields, parts)
        while rest:
            rest = send(self._sock, rest)

    def on_frame(self, frame: Frame, fd: int) -> None:
        fields = frame.fields
        if frame.kind is FrameKind.MESSAGES:
            self._handle(frame)
        elif frame.kind is FrameKind.SHARE:
            header, *inline = frame.parts
            arrays = map_broadcast(fd, tuple(fields["lengths"])) if fd >= 0 else inline
            views = tuple(raw(array).toreadonly() for array in arrays)
            self._contents[fields["content"]] = (bytes(header), views)
        elif frame.kind is FrameKind.RELEASE:
            self._contents.pop(fields["content"], None)
        elif frame.kind is FrameKind.POOL:
            slot_bytes = fields["slot_bytes"]
            self._pool = Slots(Block(slot_bytes * fields["slots"], fd), slot_bytes)
        elif frame.kind is FrameKind.ACK_WORD:
            self._ack_word = AckWord(Block(AckWord.BYTES, fd))

    def _handle(self, frame: Frame) -> None:
        """Handle the messages of a frame in their order.

        Where these are known to be short, a reply waits for others to share its frame: until `PATIENCE` is
        over and the message that is handled then has its reply too.
        """
        self._frames += 1
        patience = PATIENCE if frame.fields["short"] else 0.0
        heads = (Addressed(*fields) for fields in frame.fields["messages"])
        parts = iter(frame.parts)
        waiting = [(head, self._request(head, next(parts), next(parts))) for head in heads]
        sent = time.perf_counter()
        while waiting and not self.leaving:
            if recalled := self._find_recalled(waiting):
                waiting = [pair for pair in waiting if pair[0].message not in recalled]
                continue
            count = 1
            if self._stacking and len(waiting) > 1:
                count = self._stacking.stack_size([request for _, request in waiting])
            self._answer(waiting[:count])
            waiting = waiting[count:]
            if not waiting or time.perf_counter() - sent > patience or self._held > HELD_BYTES:
                self._send_replies()
                sent = time.perf_counter()
            self._leave_if_too_large()

    def _find_recalled(self, waiting: Sequence[tuple[Addressed, ActorRequest]]) -> set[int]:
        """Return the waiting messages that other workers handle now, since this one did not get to them."""
        if self._ack_word is None:
            return set()
        frame, kept = self._ack_word.read_recall()
        if self._frames > frame:
            return set()
        return {head.message for head, _ in waiting if head.message != kept}

    def _leave_if_too_large(self) -> None:
        watermark = self._policy.memory_watermark
        if watermark is not None and _resident_memory() > watermark:
            self._send_replies()
            self.send(FrameKind.LEAVING, {})
            self.leaving = True

    def _acknowledge(self, message: int, count: int) -> None:
        """Tell the supervisor which messages are being handled, before that begins."""
        if self._ack_word:
            self._ack_word.write(message, count)
        else:
            self.send(FrameKind.ACKNOWLEDGE, {"message": message, "count": count})

    def _request(self, head: Addressed, body: memoryview, state: memoryview) -> ActorRequest:
        before = bytes(state) if head.with_state else self._states.get(head.actor, b"")
        header, arrays = self._contents[head.content]
        return ActorRequest(head.actor, Wire(header, bytes(body), arrays), before)

    def _answer(self, messages: Sequence[tuple[Addressed, ActorRequest]]) -> None:
        started = time.perf_counter()
        outcomes = self._outcomes(messages)
        share = (time.perf_counter() - started) / len(messages)
        for index, ((head, request), outcome) in enumerate(zip(messages, outcomes, strict=True)):
            start = started + index * share
            if isinstance(outcome, Exception):
                self._send_replies()
                self.send(
                    FrameKind.ERROR, {"message": head.message, "started": start, **_error_fields(outcome)}
                )
            else:
                self._note(head, request, outcome, (start, start + share))

    def _outcomes(self, messages: Sequence[tuple[Addressed, ActorRequest]]) -> Sequence[_Answer | Exception]:
        if len(messages) > 1 and self._stacking:
            self._acknowledge(messages[0][0].message, len(messages))
            with suppress(Exception):  # then each message has its own reply or error
                outcomes = self._stacking.handle_stack([request for _, request in messages])
                return [self._check(outcome) for outcome in outcomes]
        return [self._outcome(head, request) for head, request in messages]

    def _outcome(self, head: Addressed, request: ActorRequest) -> _Answer | Exception:
        self._acknowledge(head.message, 1)
        try:
            return self._check(self._behaviour.handle(request.actor, request.message, request.state))
        except Exception as error:  # noqa: BLE001 - the actor lives on; its error is the answer
            return error

    def _check(self, outcome: Outcome) -> _Answer:
        reply, state = outcome
        views = [raw(array) for array in reply.arrays]
        header, body = reply.header, reply.body
        size = sum(map(len, (header, body, state))) + sum(view.nbytes for view in views)
        if len(views) > MAX_ARRAYS:
            raise ValueError(f"a reply of {len(views)} arrays or byte strings; at most {MAX_ARRAYS} travel")
        if size > self._policy.max_message:
            raise ValueError(f"a reply and state of {size} bytes; at most {self._policy.max_message} travel")
        return header, body, views, state

    def _note(
        self, head: Addressed, request: ActorRequest, outcome: _Answer, times: tuple[float, float]
    ) -> None:
        """Keep a reply for the next frame, its arrays in its slot or copied, and the actor's new state."""
        header, body, views, after = outcome
        if after:
            self._states[head.actor] = after
        else:
            self._states.pop(head.actor, None)
        lengths = [view.nbytes for view in views]
        in_slot = head.slot >= 0 and self._pool is not None and self._pool.write(head.slot, views)
        changed = after != request.state
        if len(self._parts) + len(views) > MAX_ARRAYS:
            self._send_replies()
        self._replies.append(Handled(head.message, *times, lengths, in_slot, changed))
        parts = [header, body, after if changed else b""]
        if not in_slot:
            parts += [bytes(view) for view in views]
        self._held += sum(map(len, parts))
        self._parts += parts

    def _send_replies(self) -> None:
        if self._replies:
            self.send(FrameKind.REPLIES, {"replies": self._replies}, self._parts)
            self._replies, self._parts, self._held = [], [], 0


def _error_fields(error: BaseException) -> dict[str, str]:
    reason = "".join(traceback.format_exception_only(error)).strip()
    trace = "".join(traceback.format_exception(error)).strip()
    return {"reason": reason[-MAX_ERROR:], "traceback": trace[-MAX_ERROR:]}
