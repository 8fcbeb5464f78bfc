"""What every program of the training step has in common: the case, the protocol and the check.

A program makes a learner from a :class:`Case` and serves it: each turn is a pass over all rows, batch after
batch, from the same initial parameters, and its seconds are those of the pass alone. With ``--parameters
FILE`` the parameters after the first pass are left there for the harness to compare.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WIDTHS = (784, 512, 256, 10)
RATE = 0.005  # of learning; ten times as much amplifies rounding until two correct programs differ

Layers = list[tuple[Any, Any]]
"""Weight, float32[inputs, outputs], and bias, float32[outputs], of each layer."""


@dataclass(frozen=True)
class Case:
    """The rows of a pass, the initial parameters and the rows of a step, the same in every program.

    `way` is which of a program's ways to take the step; empty where it has one.
    """

    batch: int
    rows: int
    way: str = ""

    def data(self) -> tuple[Any, Any]:
        """Return float32[rows, 784] in [0, 1) and int64[rows]."""
        rng = np.random.default_rng(1)
        return rng.random((self.rows, WIDTHS[0]), np.float32), rng.integers(0, WIDTHS[-1], self.rows)

    def layers(self) -> Layers:
        """Return He's initial weights, and biases that are not 0, so that a lost one is seen."""
        rng, layers = np.random.default_rng(2), []
        for inputs, outputs in itertools.pairwise(WIDTHS):
            weight = rng.standard_normal((inputs, outputs), np.float32) * np.float32((2 / inputs) ** 0.5)
            layers.append((weight, np.full(outputs, 0.01, np.float32)))
        return layers

    def batches(self) -> Iterator[slice]:
        """Yield where each batch lies."""
        return (slice(start, start + self.batch) for start in range(0, self.rows, self.batch))


@dataclass(frozen=True)
class Learner:
    """A model that can start again, make a pass of steps, and tell its parameters."""

    reset: Callable[[], None]
    train: Callable[[], None]
    layers: Callable[[], Layers]


def serve(make: Callable[[Case], Learner]) -> None:
    """Answer each line of the input with a line of JSON: the seconds of a pass."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--way", default="")
    parser.add_argument("--parameters", type=Path)
    given = parser.parse_args()
    one_core()
    answers = sys.stdout
    with redirect_stdout(sys.stderr):
        learner = make(Case(given.batch, given.rows, given.way))
        for request in map(json.loads, sys.stdin):
            learner.reset()
            start = time.perf_counter()
            learner.train()
            seconds = time.perf_counter() - start
            if given.parameters and request["turn"] == 1:
                np.save(given.parameters, as_vector(learner.layers()))
            print(json.dumps({"seconds": seconds}), file=answers, flush=True)


def as_vector(layers: Layers) -> Any:
    """Return all parameters as one float32 vector."""
    return np.concatenate([np.asarray(part, np.float32).ravel() for layer in layers for part in layer])


def one_core() -> None:
    """Keep to one core, the same for all, where the system lets us.

    JAX has a thread for each core that it may use, whatever the variables say; it counts when it is imported.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
