"""Models that fail; in a module that workers import quickly."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from fedlocal.models import MLP


class Mortal(MLP):
    """A model that kills its process, twice in all, half-way through writing a gradient."""

    def __init__(self, hidden: list[int], marks: str, **given: Any) -> None:
        super().__init__(hidden, **given)
        self._marks = Path(marks)

    def gradient(self, x: Any, y: Any, out: Any, weight: float = 1.0, *, add: bool = False) -> float:
        died = len(list(self._marks.glob("death-*")))
        if died < 2 and np.random.default_rng(int(abs(x).sum() * 1000) + died).random() < 0.2:
            (self._marks / f"death-{died}-{os.getpid()}").touch()
            out[: len(out) // 2] = np.nan
            os.kill(os.getpid(), signal.SIGKILL)
        return super().gradient(x, y, out, weight, add=add)


class Broken(MLP):
    """A model that has no gradients."""

    def gradient(self, x: Any, y: Any, out: Any, weight: float = 1.0, *, add: bool = False) -> float:
        raise ArithmeticError("no gradient today")


class MortalPasses(MLP):
    """A model that kills its process in the middle of a pass, twice forward and twice backward in all."""

    def __init__(self, hidden: list[int], marks: str, **given: Any) -> None:
        super().__init__(hidden, **given)
        plain, calls = self.network.hidden, count(1)
        mortal = replace(
            plain,
            forward=_dying(Path(marks), "forward", plain.forward, calls),
            backward=_dying(Path(marks), "backward", plain.backward, calls),
        )
        self.network = replace(self.network, hidden=mortal)


def _dying(
    marks: Path, name: str, function: Callable[..., None], calls: Iterator[int]
) -> Callable[..., None]:
    def then_die(*arrays: Any) -> None:
        function(*arrays)
        if next(calls) % 7 == 0 and len(list(marks.glob(f"{name}-*"))) < 2:
            (marks / f"{name}-{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return then_die
