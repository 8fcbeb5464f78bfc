"""Behaviours for the tests, importable in workers."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fedlocal.actors import ActorRequest, Outcome, Wire, raw


class Echo:
    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        return Wire(message.header, message.body, message.arrays), state


class Count:
    """Replies how many messages the actor has had, from its state."""

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        count = int(state or b"0") + 1
        return Wire(body=str(count).encode()), str(count).encode()


class CountAtGate(Count):
    """Counts too, once the file that the body names exists."""

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        if message.body == b"raise":
            raise ValueError("asked to")
        gate = Path(message.body.decode())
        if message.body:
            gate.with_suffix(".waiting").touch()
        while message.body and not gate.exists():
            time.sleep(0.01)  # in another process: nothing to wait on
        return super().handle(actor, message, state)


class Double:
    """Replies twice the float32 array of the content, plus the actor's number."""

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        array = np.frombuffer(message.arrays[0], dtype=np.float32)
        return Wire(arrays=(2 * array + np.float32(actor),)), b""


class Obey:
    """Does what the body says."""

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        order = message.body.decode()
        if order == "raise":
            raise ValueError(f"actor {actor} has a reason")
        if order == "exit":
            os._exit(3)
        if order == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "hang":
            time.sleep(3600)
        if order == "write":
            raw(message.arrays[0])[0] = 1
        if order == "pid":
            return Wire(body=str(os.getpid()).encode()), b""
        return Wire(body=b"ok"), b""


class Threads:
    """Replies the number of threads of each numeric library, one byte each; one is loaded late."""

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        import scipy.linalg.blas  # noqa: F401
        from threadpoolctl import threadpool_info

        return Wire(body=bytes(pool["num_threads"] for pool in threadpool_info())), b""


class Stacks:
    """Says with how many others a message was handled; refuses a stack in which somebody wants it to."""

    def handle(self, actor: int, message: Wire, state: bytes) -> Outcome:
        if message.body == b"raise":
            raise RuntimeError("as asked")
        return Wire(body=b"alone"), state

    def stack_size(self, requests: Sequence[ActorRequest]) -> int:
        return len(requests)

    def handle_stack(self, requests: Sequence[ActorRequest]) -> list[Outcome]:
        if any(request.message.body == b"raise" for request in requests):
            raise RuntimeError("not this one")
        return [(Wire(body=b"together"), request.state) for request in requests]
