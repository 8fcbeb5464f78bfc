"""The times of one round of a scheme whose actors share the work on one model, and the work of each actor."""

import time
from collections import defaultdict
from collections.abc import Sequence

from fedlocal.actors import Reply
from fedlocal.results import Work


class RoundTimer:
    """Adds up the times and the work of a round, from the moment that it is made."""

    def __init__(self) -> None:
        self.work, self.busy = list[Work](), 0.0
        self._started = self._last = time.perf_counter()
        self._laps = defaultdict[str, float](float)
        self._rows, self._seconds, self._losses = (defaultdict[int, float](float) for _ in range(3))

    def lap(self, name: str, now: float | None = None) -> None:
        """Add the time since the last lap to a span."""
        now = time.perf_counter() if now is None else now
        self._laps[name] += now - self._last
        self._last = now

    def collected(self, replies: Sequence[Reply]) -> None:
        """Divide the time since the last lap: until the first began to work, the last ended, and now."""
        self.lap("dispatch", min(reply.started for reply in replies))
        self.lap("training", max(reply.ended for reply in replies))
        self.lap("collection")
        self.busy += sum(reply.ended - reply.started for reply in replies)

    def note(
        self, worker: int, actor: int, rows: int, losses: Sequence[float], started: float, ended: float
    ) -> None:
        """Add one stretch of an actor's work, and the losses that it reported, each summed over its rows."""
        self.work.append(Work(actor, worker, started - self._started, ended - started))
        self._rows[actor] += rows
        self._seconds[actor] += ended - started
        if losses:
            self._losses[actor] += sum(losses)

    def actors(self) -> dict[int, dict[str, float]]:
        """Return what is recorded of each actor; its loss is the mean over its rows."""
        seconds = self._seconds
        recorded = {a: {"num-examples": rows, "seconds": seconds[a]} for a, rows in self._rows.items()}
        for actor, loss in self._losses.items():
            recorded[actor]["train-loss"] = loss / self._rows[actor]
        return recorded

    def seconds(self, workers: int) -> dict[str, float]:
        """Return the spans, and the worker-seconds in them."""
        idle = max(0.0, workers * sum(self._laps.values()) - self.busy)
        return {**self._laps, "busy": self.busy, "idle": idle}
