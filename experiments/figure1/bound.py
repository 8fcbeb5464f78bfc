"""What two processes of this machine give at most, without actors: the bound of the batch queue with two.

``python -m experiments.figure1.bound`` takes turns of three arms, and prints ratios over one process with
batches of 256 rows: two processes that share nothing, each with batches of 128, and two that write their
gradients of 128 rows into shared memory, where this process adds them up and updates, with a word in a pipe
for each message.
"""

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # before NumPy loads

import mmap
import multiprocessing as mp
import time
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from experiments.turns import Call, alternate, ratios
from fedlocal.models import MLP

TURNS, WAVES, ROWS = 12, 150, 128


def network() -> MLP:
    """Return the paper's network."""
    options: dict[str, Any] = {"output": "identity", "loss": "mean_squared_error", "learning_rate": 1e-4}
    return MLP([512, 256], **options, inputs=784, outputs=10, classes=True, rng=np.random.default_rng(0))


def batch(rows: int) -> tuple[Any, Any]:
    """Return rows that are noise: a step takes as long with them."""
    rng = np.random.default_rng(rows)
    return rng.random((rows, 784), np.float32), rng.integers(10, size=rows)


def alone() -> float:
    """Return the seconds of a wave in one process: a step of 256 rows."""
    model, (x, y) = network(), batch(2 * ROWS)
    started = time.perf_counter()
    for _ in range(WAVES):
        model.train_step(x, y)
    return (time.perf_counter() - started) / WAVES


def steps(pipe: Connection, memory: Any, index: int) -> None:  # noqa: ARG001 - the others' arguments
    """Make steps of its own, all at one message."""
    model, (x, y) = network(), batch(ROWS)
    while pipe.recv_bytes() == b"go":
        for _ in range(WAVES):
            model.train_step(x, y)
        pipe.send_bytes(b"done")


def gradients(pipe: Connection, memory: Any, index: int) -> None:
    """Write a gradient at each message, from the parameters that are in memory."""
    model, (x, y) = network(), batch(ROWS)
    model.live_in(memory[2])
    while pipe.recv_bytes() == b"go":
        model.gradient(x, y, memory[index], 0.5)
        pipe.send_bytes(b"done")


def together(work: Any, messages: int) -> float:
    """Return the seconds of a wave in two processes; this one updates if each wave has a message."""
    model = network()
    size = -(-model.size // 16) * 16
    shared = np.frombuffer(mmap.mmap(-1, 3 * 4 * size), np.float32).reshape(3, size)[:, : model.size]
    shared[2] = model.vector
    model.live_in(shared[2])
    context = mp.get_context("fork")  # anonymous memory is inherited
    ends = [context.Pipe() for _ in range(2)]
    both = [context.Process(target=work, args=(theirs, shared, at)) for at, (_, theirs) in enumerate(ends)]
    for process in both:
        process.start()
    exchange(ends)  # then they are there, and have touched their memory
    started = time.perf_counter()
    for _ in range(messages):
        exchange(ends)
        if messages > 1:
            np.add(shared[0], shared[1], out=shared[0])
            model.apply(shared[0])
    seconds = (time.perf_counter() - started) / WAVES
    for ours, _ in ends:
        ours.send_bytes(b"end")
    for process in both:
        process.join()
    return seconds


def exchange(ends: list[tuple[Any, Any]]) -> None:
    """Send a message to each process, and wait for all replies."""
    for ours, _ in ends:
        ours.send_bytes(b"go")
    for ours, _ in ends:
        ours.recv_bytes()


def main() -> None:
    arms = [
        Call("one", alone),
        Call("share nothing", partial(together, steps, 1)),
        Call("gradients", partial(together, gradients, WAVES)),
    ]
    figures = alternate(arms, TURNS)
    for arm in arms[1:]:
        low, median, high = np.percentile(ratios(figures, "one", arm.name), [25, 50, 75])
        print(f"two processes, {arm.name}: {median:.2f} times as fast as one ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
