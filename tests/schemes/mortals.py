"""Models that fail; in a module that workers import quickly."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
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
        self._marks, plain = Path(marks), self.network.hidden
        self._calls = 0
        mortal = replace(
            plain,
            forward=self._dying("forward", plain.forward),
            backward=self._dying("backward", plain.backward),
        )
        self.network = replace(self.network, hidden=mortal)

    def _dying(self, name: str, function: Callable[..., None]) -> Callable[..., None]:
        def pass_through(*arrays: Any) -> None:
            function(*arrays)
            self._calls += 1
            if self._calls % 7 == 0 and len(list(self._marks.glob(f"{name}-*"))) < 2:
                (self._marks / f"{name}-{os.getpid()}").touch()
                os.kill(os.getpid(), signal.SIGKILL)

        return pass_through
