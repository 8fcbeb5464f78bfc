"""The times of one round of a scheme whose actors share the work on one model, and the work of each actor."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from fedlocal.actors import Reply
from fedlocal.results import Work


@dataclass
class RoundTimer:
    """Adds up the times and the work of a round, from the moment that it is made."""

    laps: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    busy: float = 0.0
    _last: float = field(default_factory=time.perf_counter)
    work: list[Work] = field(default_factory=list)
    _measured: dict[int, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started = self._last

    def lap(self, name: str, now: float | None = None) -> None:
        """Add the time since the last lap to a span."""
        now = time.perf_counter() if now is None else now
        self.laps[name] += now - self._last
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
        measured = self._measured.setdefault(actor, {"num-examples": 0.0, "seconds": 0.0})
        measured["num-examples"] += rows
        measured["seconds"] += ended - started
        if losses:
            measured["train-loss"] = measured.get("train-loss", 0.0) + sum(losses)

    def actors(self) -> dict[int, dict[str, float]]:
        """Return what is recorded of each actor; its loss is the mean over its rows."""
        return {
            actor: measured
            | (
                {"train-loss": measured["train-loss"] / measured["num-examples"]}
                if "train-loss" in measured
                else {}
            )
            for actor, measured in self._measured.items()
        }

    def seconds(self, workers: int) -> dict[str, float]:
        """Return the spans, and the worker-seconds in them."""
        idle = max(0.0, workers * sum(self.laps.values()) - self.busy)
        return {**self.laps, "busy": self.busy, "idle": idle}
