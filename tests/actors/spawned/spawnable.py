"""Behaviours of spawned actors for the tests, importable in workers."""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import ActorRef, Context, Down


def double(message: Any, context: Context) -> Any:
    return message * 2


def start_method(message: Any, context: Context) -> str:
    return multiprocessing.get_start_method()


def from_a_process(message: int, context: Context) -> int:
    """Have a process of the actor's do what does not pickle."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=lambda: theirs.send(message + 1))
    process.start()
    answer = ours.recv()
    process.join()
    assert isinstance(answer, int)
    return answer


def pieces(message: int, context: Context) -> list[bytes]:
    return [b"x"] * message


def wait_for(message: str, context: Context) -> None:
    """Handle the message until the file that it names exists."""
    Path(message).with_suffix(".waiting").touch()
    while not Path(message).exists():
        time.sleep(0.01)  # in another process: nothing to wait on


class Counter:
    """Adds numbers up, and does other things by name."""

    def __init__(self, total: int = 0) -> None:
        self.total = total

    def receive(self, message: Any, context: Context) -> Any:
        if isinstance(message, str):
            return getattr(self, message)(context)
        self.total += message
        return self.total

    def fail(self, context: Context) -> None:
        self.total = -1000
        raise ValueError("no such number")

    def hide(self, context: Context) -> None:
        self.total, self.lock = -1000, threading.Lock()

    def reply_badly(self, context: Context) -> list[object]:
        self.total = -1000
        return [1, object()]

    def forget(self, context: Context) -> list[str]:
        was = sorted(vars(self))
        vars(self).clear()
        return was

    def end(self, context: Context) -> str:
        context.stop()
        return "going"

    def wait(self, context: Context) -> None:
        context.self.ask("anything")


class Log:
    """Keeps what it is told, and tells it when asked for it with None."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def receive(self, message: Any, context: Context) -> list[Any] | None:
        if message is None:
            return self.seen
        self.seen.append((context.sender, message))
        return None


class Pinger:
    """Plays a number of times with whoever sent the ball, then tells an actor named "end"."""

    def receive(self, message: tuple[ActorRef | None, int], context: Context) -> None:
        partner, left = message
        if left:
            (partner or context.sender).tell((None, left - 1))  # type: ignore[union-attr]
        else:
            context.find("end").tell("over")


class Ring:
    """Tells its number on to the next of a ring that it grows itself."""

    def __init__(self, left: int, first: ActorRef | None, end: ActorRef) -> None:
        self.left, self.first, self.end = left, first, end

    def receive(self, message: list[int], context: Context) -> None:
        first = self.first or context.self
        if message and message[-1] == 0:
            self.end.tell(message)
        elif self.left:
            following = context.spawn(Ring, self.left - 1, first, self.end)
            following.tell([*message, self.left])
        else:
            first.tell([*message, 0])


class Parent:
    """Spawns a child of a given name, and fails after that if it is to."""

    def receive(self, message: tuple[str | None, bool], context: Context) -> ActorRef:
        name, fails = message
        child = context.spawn(Counter, 7, name=name)
        child.tell(1)
        if fails:
            raise RuntimeError("after all")
        return child


class Watcher:
    """Watches whom it is told of, and tells a log who is gone."""

    def __init__(self, log: ActorRef) -> None:
        self.log = log

    def receive(self, message: ActorRef | Down, context: Context) -> None:
        if isinstance(message, Down):
            self.log.tell((message.ref, message.reason))
        else:
            context.monitor(message)


class Matrix:
    """Has big arrays: one that counts, one that is made anew by `__init__` in each worker."""

    def __init__(self, size: int) -> None:
        self.weights = np.zeros(size)
        self._cache = {"size": size, "lock": threading.Lock()}

    def receive(self, message: NDArray[np.float64], context: Context) -> NDArray[np.float64]:
        self.weights += message
        assert self._cache["size"] == message.size
        return self.weights


class Keeper:
    """Keeps the last array that it was told, and says whether it may write to it."""

    def __init__(self) -> None:
        self.kept = np.zeros(3)

    def receive(self, message: NDArray[np.float64] | None, context: Context) -> tuple[bool, float]:
        if message is not None:
            self.kept = message
        return self.kept.flags.writeable, float(self.kept.sum())


class DiesOnce:
    """Counts, spawns and tells, then kills its worker the first time; always, for the message "always"."""

    def __init__(self, log: ActorRef, marker: str) -> None:
        self.count, self.log, self.marker = 0, log, marker

    def receive(self, message: str, context: Context) -> int:
        self.count += 1
        child = context.spawn(Counter, self.count)
        self.log.tell((message, child))
        marker = Path(self.marker)
        if message == "always" or (message == "once" and not marker.exists()):
            marker.touch()
            os.kill(os.getpid(), signal.SIGSEGV)
        return self.count


class Refuses:
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("not today")

    def receive(self, message: Any, context: Context) -> None: ...


class Views:
    """Has arrays in one piece of memory, one of them in Fortran's order, and changes them in turn."""

    def __init__(self) -> None:
        self.flat = np.arange(6.0)
        self.head, self.matrix = self.flat[:3], self.flat.reshape(2, 3).T
        self.alone = np.asfortranarray(np.arange(6.0).reshape(2, 3))

    def receive(self, message: float, context: Context) -> Any:
        self.head += message
        self.matrix[1] *= 2
        return self.flat.tolist(), self.matrix.strides, self.alone.ravel(order="K").tolist()


class Names:
    """Has two names for a list, for an array, for a set in a tuple."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.table = {"rows": self.rows, "again": [self.rows]}
        self.weights = self.best = np.zeros(2)
        self.pair = ({1}, 2)
        self.members = self.pair[0]

    def receive(self, message: float, context: Context) -> Any:
        self.rows.append(message)
        self.weights += message
        self.members.add(int(message))
        return self.table, self.best.tolist(), sorted(self.pair[0]), self.rows is self.table["rows"]


class Inner:
    def __init__(self) -> None:
        self.weights, self.lists = np.zeros(4), {"rows": [[0]]}


class Outside:
    """Has state that shares with what is none: the message says what, the first time."""

    common: ClassVar[list[int]] = []

    def __init__(self) -> None:
        self._buffer, self._model = np.zeros(4), Inner()
        self._queue, self._memory = deque([[1]]), bytearray(16)
        kept: list[int] = []
        self._function: Any = lambda: kept
        self._append: Any = [1].append
        self._iterator: Any = iter([1, 2])
        self._objects = np.array([{"a": 1}, None])
        self.state: Any = None

    def receive(self, message: str, context: Context) -> str:
        shared: dict[str, Any] = {
            "view": self._buffer[1:],
            "reversed": self._buffer[::-1],
            "read": self._buffer.view(),
            "array": self._model.weights,
            "list": self._model.lists["rows"][0],
            "class": self.common,
            "queue": self._queue[0],
            "function": self._function(),
            "bound method": self._append.__self__,
            "iterator": self._iterator.__reduce__()[1][0],
            "objects": self._objects[0],
            "memory": np.frombuffer(self._memory),
            "copy": self._buffer.copy(),
        }
        shared["read"].flags.writeable = False
        self.state = shared[message]
        return message


class Endless:
    def __init__(self) -> None:
        self.items: list[Any] = []
        self.items.append(self.items)

    def receive(self, message: Any, context: Context) -> None: ...


class Slots:
    __slots__ = ("total",)

    def receive(self, message: Any, context: Context) -> None: ...


class HalfSlots(Slots):
    """Has a __dict__ beside its slots."""


def where(message: Any, context: Context) -> int:
    return os.getpid()
