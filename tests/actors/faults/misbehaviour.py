"""Actors with faults, importable in workers: they do what the body says, and count their messages."""

import ctypes
import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from fedlocal.actors import ActorRequest, Outcome, Wire
from fedlocal.actors.worker.frames import MAGIC, PREFIX, Addressed, FrameKind, Handled, encode
from fedlocal.actors.worker.main import _Worker
from fedlocal.memory.parts import Buffer

FOREVER = 3600


def order(what: str, once: Path | None = None) -> bytes:
    """Return a body that asks for a fault: each time, or `once`, unless that file exists."""
    return f"{what}|{once or ''}".encode()


def _due(marker: str) -> bool:
    if not marker:
        return True
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class Faulty:
    """Counts the messages of each actor in its state, after doing what the body says."""

    def __init__(self) -> None:
        self.hoard: list[bytearray] = []
        self.arrays: Sequence[Buffer] = ()

    def handle(self, actor: int, message: Wire, state: bytes) -> Outcome:
        self.arrays = message.arrays
        what, _, marker = message.body.decode().partition("|")
        name, _, argument = what.partition(":")
        reply = getattr(self, name)(argument) if name and _due(marker) else None
        count = str(int(state or b"0") + 1).encode()
        return Wire(body=count if reply is None else reply), count

    def kill(self, number: str) -> None:
        os.kill(os.getpid(), int(number or signal.SIGKILL))

    def segfault(self, _: str) -> None:
        ctypes.string_at(0)

    def sys_exit(self, code: str) -> None:
        sys.exit(int(code))

    def os_exit(self, code: str) -> None:
        os._exit(int(code))

    def hang(self, seconds: str) -> None:
        time.sleep(float(seconds or FOREVER))

    def spin(self, _: str) -> None:
        while True:
            pass

    def hold_the_gil(self, _: str) -> None:
        ctypes.PyDLL(None).sleep(FOREVER)

    def stop(self, _: str) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    def allocate(self, mebibytes: str) -> None:
        bytearray(b"x") * (int(mebibytes) << 20)

    def hoard_memory(self, mebibytes: str) -> bytes:
        self.hoard.append(bytearray(b"x") * (int(mebibytes) << 20))
        return str(os.getpid()).encode()

    def use_up_descriptors(self, _: str) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        with suppress(OSError):
            while True:
                os.dup(2)

    def pid(self, _: str) -> bytes:
        return str(os.getpid()).encode()

    def grandchild(self, then: str) -> bytes:
        child = subprocess.Popen(["sleep", str(FOREVER)])
        if then:
            Path(then).write_text(str(child.pid))
        return f"{os.getpid()} {child.pid}".encode()

    def reply_with(self, size: str) -> bytes:
        return bytes(int(size))

    def sum_of_lengths(self, _: str) -> bytes:
        return str(sum(len(array) for array in self.arrays)).encode()

    def wait_for(self, gate: str) -> None:
        Path(gate).with_suffix(".waiting").touch()
        while not Path(gate).exists():
            time.sleep(0.005)  # in another process: nothing to wait on


class StartsOnce(Faulty):
    """Starts as long as its file does not exist, and hangs or raises otherwise."""

    def __init__(self, gate: str) -> None:
        super().__init__()
        if Path(gate).exists():
            raise RuntimeError("the gate is shut")


def starts_until(gate: Path) -> Callable[[], StartsOnce]:
    return partial(StartsOnce, str(gate))


def start_faulty(what: str, once: str = "") -> Faulty:
    """Do what is asked in the worker's start, each time or once."""
    if _due(once):
        if what == "raise":
            raise RuntimeError("no such client")
        Faulty().handle(0, Wire(body=order(what)), b"")
    return Faulty()


def starting(what: str, once: Path | None = None) -> Callable[[], Faulty]:
    return partial(start_faulty, what, str(once or ""))


class Wild(Faulty):
    """Writes what it likes to its worker's socket."""

    def __init__(self) -> None:
        super().__init__()
        (self.worker,) = (thing for thing in gc.get_objects() if isinstance(thing, _Worker))

    def write(self, data: bytes) -> None:
        self.worker._sock.sendall(data)

    def frame(self, kind: int, fields: dict[str, Any], parts: Sequence[Buffer] = (), older: int = 0) -> bytes:
        return b"".join(encode(FrameKind(kind), self.worker._generation - older, fields, parts))

    def say(self, what: str) -> None:
        """Send something that is no good frame, and go on as if nothing were."""
        self.write(SAYINGS[what](self))

    def then(self, what: str) -> None:
        """Do something with the reply's frame instead of sending it."""
        honest, worker = self.worker.send, self.worker

        def send(kind: FrameKind, fields: dict[str, Any], parts: Sequence[Buffer] = ()) -> None:
            if kind is FrameKind.REPLIES:
                ENDINGS[what](worker._sock, b"".join(encode(kind, worker._generation, fields, parts)))
            else:
                honest(kind, fields, parts)

        worker.send = send  # type: ignore[method-assign]

    def stale(self, number: str) -> None:
        """Reply to another message."""
        self.write(self.frame(FrameKind.REPLIES, *_reply(int(number))))


class Fragile(Wild):
    """Its worker exits at the sight of some messages, before it acknowledges them."""

    def __init__(self) -> None:
        super().__init__()
        honest = self.worker._request

        def request(head: Addressed, body: memoryview, state: memoryview) -> ActorRequest:
            if bytes(body) == b"unreadable":
                os._exit(5)
            return honest(head, body, state)

        self.worker._request = request  # type: ignore[method-assign]


def _reply(message: int, **changed: Any) -> tuple[dict[str, Any], list[bytes]]:
    handled = Handled(message, 0.0, 0.0, [], False, True)._replace(**changed)
    return {"replies": [handled]}, [b"", b"forged", b"99"]


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _prefix(magic: bytes, kind: int, payload: int) -> bytes:
    return PREFIX.pack(magic, kind, 1, 2, payload, 0)


SAYINGS: dict[str, Callable[[Wild], bytes]] = {
    "garbage": lambda _: os.urandom(4096),
    "text": lambda _: b"HTTP/1.1 200 OK\r\n\r\n" * 3,
    "magic": lambda _: _prefix(b"oops", FrameKind.REPLIES, 0),
    "version": lambda _: _prefix(b"fdl1", FrameKind.REPLIES, 0),
    "kind": lambda _: _prefix(MAGIC, 99, 0),
    "length": lambda _: _prefix(MAGIC, FrameKind.REPLIES, 2**31 - 1),
    "crc": lambda wild: _flipped(wild.frame(FrameKind.REPLIES, *_reply(1))),
    "generation": lambda wild: wild.frame(FrameKind.REPLIES, *_reply(1), older=1),
    "direction": lambda wild: wild.frame(FrameKind.STOP, {}),
    "ready": lambda wild: wild.frame(FrameKind.READY, {}),
    "acknowledged twice": lambda wild: 2 * wild.frame(FrameKind.ACKNOWLEDGE, {"message": 1, "count": 1}),
    "acknowledged -5": lambda wild: wild.frame(FrameKind.ACKNOWLEDGE, {"message": 1, "count": -5}),
    "acknowledged 1e30": lambda wild: wild.frame(FrameKind.ACKNOWLEDGE, {"message": 1, "count": 10**30}),
    "acknowledged inf": lambda wild: wild.frame(FrameKind.ACKNOWLEDGE, {"message": float("inf"), "count": 1}),
    "no reply": lambda wild: wild.frame(FrameKind.REPLIES, {"replies": 3}),
    "parts": lambda wild: wild.frame(FrameKind.REPLIES, _reply(1)[0]),
    "time": lambda wild: wild.frame(FrameKind.REPLIES, *_reply(1, started=10**400)),
    "slot": lambda wild: wild.frame(FrameKind.REPLIES, *_reply(1, in_slot=True, lengths=[1 << 40])),
    "error": lambda wild: wild.frame(FrameKind.ERROR, {"message": float("inf"), "started": 0}),
}


def _half_and_exit(sock: socket.socket, frame: bytes) -> None:
    sock.sendall(frame[: len(frame) // 2])
    os._exit(0)


def _exit(_sock: socket.socket, _frame: bytes) -> None:
    os._exit(0)


def _all_and_kill(sock: socket.socket, frame: bytes) -> None:
    sock.sendall(frame)
    os.kill(os.getpid(), signal.SIGKILL)


def _twice(sock: socket.socket, frame: bytes) -> None:
    sock.sendall(frame + frame)


def _byte_by_byte(sock: socket.socket, frame: bytes, pause: float = 0.0) -> None:
    for index in range(len(frame)):
        sock.sendall(frame[index : index + 1])
        time.sleep(pause)


ENDINGS: dict[str, Callable[[socket.socket, bytes], None]] = {
    "half and exit": _half_and_exit,
    "exit": _exit,
    "all and kill": _all_and_kill,
    "twice": _twice,
    "byte by byte": _byte_by_byte,
    "slowly": partial(_byte_by_byte, pause=0.1),
}


def start_wild(what: str, once: str = "") -> Wild:
    """Speak before it is ready."""
    wild = Wild()
    if _due(once):
        wild.say(what)
    return wild


def speaking(what: str, once: Path | None = None) -> Callable[[], Wild]:
    return partial(start_wild, what, str(once or ""))
