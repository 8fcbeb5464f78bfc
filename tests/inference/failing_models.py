"""Models that fail when they are asked; in a module that workers import quickly."""

import os
import signal
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fedlocal.models import MLP


class KilledModel(MLP):
    """A model that kills its process, a few times in all, before it answers for a batch."""

    def __init__(self, hidden: list[int], marks: str, **given: Any) -> None:
        super().__init__(hidden, **given)
        self._marks, self._home = Path(marks), os.getpid()

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        died = len(list(self._marks.glob("death-*")))
        if (self._marks / "mortal").exists() and died < 3 and int(abs(x).sum() * 1000) % 2 == 0:
            (self._marks / f"death-{died}-{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(x)


class BrokenModel(MLP):
    """A model that does not answer in a worker."""

    def __init__(self, hidden: list[int], **given: Any) -> None:
        super().__init__(hidden, **given)

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        raise ArithmeticError("no answer today")
