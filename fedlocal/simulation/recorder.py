"""The records of a simulation: files as it goes on, a line about each round, figures at its end."""

import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.table import Table
from rich.text import Text

from fedlocal import figures
from fedlocal.display.table import plain_table
from fedlocal.figures.curves import MOST_PANELS
from fedlocal.flower.grid.recording_grid import ClientError, RecordedRound
from fedlocal.results import History, Round, arm_of, environment, write_json
from fedlocal.results.formatting import duration, fixed
from fedlocal.results.phases import order
from fedlocal.simulation.rounds import as_round

MOST_SCORES = 8  # in the line about a round

logger = logging.getLogger(__name__)


class SimulationRecorder:
    """Writes the rounds of a simulation to files, and a line about each to standard error."""

    def __init__(self, folder: Path | None, display: str) -> None:
        self.folder, self._display = folder, display
        self.errors: list[ClientError] = []
        self.history = History(folder)
        self._started = time.perf_counter()
        self._summary: dict[str, Any] = {"status": "failed", "error": None, "overrides": [], "hash": None}
        if folder:
            write_json(folder / "environment.json", environment())

    def path(self, name: str) -> Path | None:
        """Return where a file of this name lies, if files are written."""
        return self.folder / name if self.folder else None

    def on_round(self, messages: RecordedRound) -> None:
        """Record a round, and write a line about it."""
        entry = as_round(messages)
        self.history.record(entry)
        self.errors += messages.errors
        for error in messages.errors:
            logger.warning(
                "round %d: client %d failed to %s: %s",
                error.round,
                error.partition,
                error.message_type,
                error.reason,
            )
        if self._display != "off":
            print(_line(entry, messages), file=sys.stderr, flush=True)

    def completed(self, fingerprint: str, arrays_hash: str | None) -> None:
        """Note in the summary that the simulation has completed."""
        self._summary |= {"status": "completed", "hash": fingerprint, "arrays_hash": arrays_hash}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.history.close()
        if self.folder is None:
            return
        if error is not None:
            ended = isinstance(error, KeyboardInterrupt | SystemExit)
            self._summary["status"] = "interrupted" if ended else "failed"
            self._summary["error"] = f"{type(error).__name__}: {error}"
        rounds = self.history.rounds
        self._summary |= {
            "arms": [asdict(arm_of("simulation", self.history))],
            "metrics": {name: self.history.final(name) for name in reported(self.history)},
            "errors": len(self.errors),
            "rounds": rounds[-1].number if rounds else 0,
            "duration": time.perf_counter() - self._started,
        }
        write_json(self.folder / "summary.json", self._summary)
        _draw(self.history, self.folder)


def reported(history: History) -> list[str]:
    """Return the names of all metrics: those of the server first, then those of clients."""
    return sorted(history.metric_names, key=order)


def metrics_table(history: History) -> Table | None:
    """Lay out the metrics, a row each, with first and last values; None where there are no metrics."""
    names = reported(history)
    if not names:
        return None
    table = plain_table(None, ["metric"], ["first", "last", "in round"])
    for name in names:
        rounds, values = history.series(name)
        table.add_row(Text(name), fixed(values[0]), fixed(values[-1]), str(rounds[-1]))
    return table


def _draw(history: History, folder: Path) -> None:
    try:
        if any(entry.metrics for entry in history.rounds):
            histories, path = {"simulation": history}, folder / "learning_curves.png"
            figures.learning_curves(histories, path, where="", metrics=reported(history)[:MOST_PANELS])
        if rounds := figures.representative_rounds(history.rounds):
            figures.timeline(rounds, folder / "timeline.png")
    except Exception:
        logger.exception("the figures could not be drawn")


def _line(entry: Round, messages: RecordedRound) -> str:
    replies = [f"{kind} {len(phase.metrics)}" for kind, phase in messages.phases.items()]
    names = sorted(entry.metrics, key=order)
    scores = [f"{name} {fixed(entry.metrics[name])}" for name in names[:MOST_SCORES]]
    scores += [f"{len(names) - MOST_SCORES} more metrics"] if len(names) > MOST_SCORES else []
    failed = [f"{len(messages.errors)} failed"] if messages.errors else []
    return "  ".join([f"round {entry.number}", *replies, *failed, duration(entry.timed), *scores])
