"""Trackers for tests: one that remembers what it was told, and some that fail."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from fedlocal.trackers import MetricPoint, RunEnded, RunStarted


class Recorder:
    """Remembers, in the class: a run makes its own instance."""

    events: ClassVar[list[Any]] = []

    def open(self, folder: Path | None) -> None:
        self.events[:] = [folder]

    def begin(self, run: RunStarted) -> None:
        self.events.append(run)

    def log(self, points: Sequence[MetricPoint]) -> None:
        self.events.extend(points)

    def end(self, run: RunEnded) -> None:
        self.events.append(run)


class Broken:
    """Raises where it is told to."""

    def __init__(self, at: str) -> None:
        self._at = at

    def open(self, folder: Path | None) -> None:
        pass

    def begin(self, run: RunStarted) -> None:
        self._fail("begin")

    def log(self, points: Sequence[MetricPoint]) -> None:
        self._fail("log")

    def end(self, run: RunEnded) -> None:
        self._fail("end")

    def _fail(self, where: str) -> None:
        if where == self._at:
            raise OSError(28, "No space left on device")


class Interrupting(Recorder):
    """Is told of the first rounds when somebody presses Ctrl-C, once."""

    pressed: ClassVar[bool] = False

    def log(self, points: Sequence[MetricPoint]) -> None:
        super().log(points)
        if points[-1].round > 2 and not Interrupting.pressed:
            Interrupting.pressed = True
            raise KeyboardInterrupt
