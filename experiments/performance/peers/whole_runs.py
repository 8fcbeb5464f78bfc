"""An arm that is a whole run: a fresh process from its start to its end, imports and tear-down included."""

import json
import statistics
from collections.abc import Mapping
from pathlib import Path

from experiments.performance.programs import Command
from fedlocal.actors.worker.threads import ONE_THREAD

UNSTEADY = 2  # first rounds of a run, in which workers start and memory is touched for the first time


class WholeRun(Command):
    """A program that makes one run, named by a request, and reports the seconds of its rounds.

    ``rounds[turn]`` are these, also of the turn that warms up. Numeric libraries have one thread unless the
    environment says otherwise.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        workload: str,
        clients: int,
        rounds: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        asked = ["--workload", workload, "--clients", str(clients), "--rounds", str(rounds)]
        super().__init__(name, [*command, *asked], {**ONE_THREAD, **(environment or {})})
        self.rounds: list[list[float]] = []

    def run(self, folder: Path, *more: str) -> float:
        """Make a run; return the seconds from the start of the process to its end."""
        report = folder / "rounds.json"
        seconds = super().run(folder, "--report", str(report), *more)
        self.rounds.append(json.loads(report.read_text()))
        return seconds

    def steady(self) -> list[float]:
        """Return the median seconds of a round in steady state, for each turn after the first."""
        return [statistics.median(rounds[UNSTEADY:]) for rounds in self.rounds[1:]]
