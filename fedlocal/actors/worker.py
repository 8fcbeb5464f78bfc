"""A worker: one process that runs actors, one message at a time. This module is all that runs there.

It holds no queue and takes no decision: the supervisor sends it one message, it answers, and it ends when its
socket closes. Its process group is its own, so that whatever a client starts can be ended with it.
"""

import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from typing import Any

from fedlocal.actors.memory import Slots, map_broadcast, raw
from fedlocal.actors.messages import Behaviour, Wire
from fedlocal.actors.threads import limit_this_process
from fedlocal.actors.wire import Frame, Kind, encode, frames, send

MAX_ERROR = 20_000  # characters of a traceback that travel; the end of it says most


def main(sock: socket.socket, generation: int, start: Callable[[], Behaviour]) -> None:
    """Build the behaviour and answer messages until told to stop."""
    _separate_from_parent()
    worker = _Worker(sock, generation)
    try:
        limit_this_process()
        worker.behaviour = start()
        limit_this_process()
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor must hear of it
        worker.send(Kind.ERROR, fields=_described(error))
        return
    worker.send(Kind.READY, fields={"pid": os.getpid()})
    for frame, fd in frames(sock):
        if frame.kind is Kind.STOP:
            return
        worker.on_frame(frame, fd)


def _separate_from_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to turn into an orderly stop
    if hasattr(os, "setsid"):
        os.setsid()
    parent = parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True, name="watch-parent").start()


class _Worker:
    """What a worker remembers between frames: mapped memory and the states of the actors it last ran."""

    behaviour: Behaviour

    def __init__(self, sock: socket.socket, generation: int) -> None:
        self._sock, self._generation = sock, generation
        self._contents: dict[int, tuple[bytes, tuple[memoryview, ...]]] = {0: (b"", ())}
        self._states: dict[int, bytes] = {}
        self._pool: Slots | None = None

    def send(self, kind: Kind, message: int = 0, *, fields: dict[str, Any], parts: Any = ()) -> None:
        rest = encode(kind, self._generation, message, fields, parts)
        while rest:
            rest = send(self._sock, rest)

    def on_frame(self, frame: Frame, fd: int) -> None:
        fields = frame.fields
        if frame.kind is Kind.MESSAGE:
            self._handle(frame)
        elif frame.kind is Kind.SHARE:
            header, *inline = frame.parts
            arrays = map_broadcast(fd, fields["lengths"]) if fd >= 0 else inline
            views = tuple(raw(array).toreadonly() for array in arrays)
            self._contents[fields["content"]] = (bytes(header), views)
        elif frame.kind is Kind.RELEASE:
            self._contents.pop(fields["content"], None)
        elif frame.kind is Kind.POOL:
            self._pool = Slots(fd, fields["slot_bytes"], fields["slots"])
            os.close(fd)

    def _handle(self, frame: Frame) -> None:
        fields, actor = frame.fields, frame.fields["actor"]
        body, *sent_state = frame.parts
        before = bytes(sent_state[0]) if sent_state else self._states.get(actor, b"")
        header, arrays = self._contents[fields["content"]]
        started = time.perf_counter()
        try:
            reply, after = self.behaviour.handle(actor, Wire(header, bytes(body), arrays), before)
            views = [raw(array) for array in reply.arrays]
        except Exception as error:  # noqa: BLE001 - the actor lives on; its error is the answer
            self.send(Kind.ERROR, frame.message, fields=_described(error))
            return
        if after:
            self._states[actor] = after
        else:
            self._states.pop(actor, None)
        lengths, slot = [view.nbytes for view in views], fields["slot"]
        if slot >= 0 and self._pool and self._pool.fits(lengths):
            self._pool.write(slot, views)
            views = []
        times = {"started": started, "ended": time.perf_counter()}
        described = {**times, "lengths": lengths, "in_slot": not views, "state_changed": after != before}
        state = after if after != before else b""
        self.send(
            Kind.REPLY, frame.message, fields=described, parts=[reply.header, reply.body, state, *views]
        )


def _described(error: BaseException) -> dict[str, str]:
    reason = "".join(traceback.format_exception_only(error)).strip()
    return {"reason": reason[-MAX_ERROR:], "traceback": traceback.format_exc()[-MAX_ERROR:]}
