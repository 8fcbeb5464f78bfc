"""What a simulation leaves behind: files as it goes on, a line about each round, figures at its end."""

import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fedlocal import figures
from fedlocal.display.table import plain_table
from fedlocal.figures.inline import MOST_PANELS
from fedlocal.flower.grid.recording_grid import ClientError, RecordedRound
from fedlocal.results import History, Round, arm_of, environment, write_json
from fedlocal.results.formatting import duration, fixed
from fedlocal.results.phases import order
from fedlocal.simulation.rounds import as_round

if TYPE_CHECKING:
    from rich.table import Table

MOST_SCORES = 8  # in the line about a round

logger = logging.getLogger(__name__)


class Recorder:
    """Keeps what a simulation gives as it comes, and says it.

    Parameters
    ----------
    folder : Path, optional
        Where files are written.
    display : str
        ``off`` for nothing to be said.
    """

    def __init__(self, folder: Path | None, display: str) -> None:
        self.folder, self._display = folder, display
        self.errors: list[ClientError] = []
        self.history = History(folder)
        self._begun = time.perf_counter()
        self._summary: dict[str, Any] = {"status": "failed", "error": None, "overrides": [], "hash": None}
        if folder:
            write_json(folder / "environment.json", environment())

    def path(self, name: str) -> Path | None:
        """Return where a file of this name lies, if files are written."""
        return self.folder / name if self.folder else None

    def on_round(self, watched: RecordedRound) -> None:
        """Record a round, and say what there is to say about it."""
        one = as_round(watched)
        self.history.record(one)
        self.errors += watched.errors
        for error in watched.errors:
            logger.warning(
                "round %d: client %d failed to %s: %s",
                error.round,
                error.partition,
                error.message_type,
                error.reason,
            )
        if self._display != "off":
            print(_line(one, watched), file=sys.stderr, flush=True)

    def completed(self, fingerprint: str, arrays_hash: str | None) -> None:
        """Note that all went well."""
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
            "duration": time.perf_counter() - self._begun,
        }
        write_json(self.folder / "summary.json", self._summary)
        _draw(self.history, self.folder)


def reported(history: History) -> list[str]:
    """Return the names of all that was reported: what the server evaluated, then what clients did."""
    return sorted(history.metric_names, key=order)


def metrics_table(history: History) -> "Table | None":
    """Lay out how what was reported went, a line each; None where nothing was."""
    names = reported(history)
    if not names:
        return None
    from rich.text import Text

    table = plain_table(None)
    table.add_column("metric", overflow="fold")
    for name in ("first", "last", "in round"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in names:
        rounds, values = history.series(name)
        table.add_row(Text(name), fixed(values[0]), fixed(values[-1]), str(rounds[-1]))
    return table


def _draw(history: History, folder: Path) -> None:
    try:
        if any(one.metrics for one in history.rounds):
            histories, path = {"simulation": history}, folder / "learning_curves.png"
            figures.learning_curves(histories, path, where="", metrics=reported(history)[:MOST_PANELS])
        if rounds := figures.representative_rounds(history.rounds):
            figures.timeline(rounds, folder / "timeline.png")
    except Exception:
        logger.exception("the figures could not be drawn")


def _line(one: Round, watched: RecordedRound) -> str:
    asked = [f"{kind} {len(phase.metrics)}" for kind, phase in watched.phases.items()]
    names = sorted(one.metrics, key=order)
    scores = [f"{name} {fixed(one.metrics[name])}" for name in names[:MOST_SCORES]]
    scores += [f"{len(names) - MOST_SCORES} more metrics"] if len(names) > MOST_SCORES else []
    failed = [f"{len(watched.errors)} failed"] if watched.errors else []
    return "  ".join([f"round {one.number}", *asked, *failed, duration(one.timed), *scores])
