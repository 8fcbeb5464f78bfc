"""An arm that is a whole run: a fresh process from its start to its end, imports and tear-down included."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from experiments.performance.programs import ROOT, ProgramError
from fedlocal.actors.worker.threads import ONE_THREAD

LIMIT = 900.0  # seconds that a run may take
UNSTEADY = 2  # first rounds of a run, in which workers start and memory is touched for the first time
ENVIRONMENT = {**ONE_THREAD, "PYTHONPATH": str(ROOT)}


class WholeRun:
    """A program that makes one run, named by a request, and reports the seconds of its rounds.

    Parameters
    ----------
    name : str
        What the arm is called.
    command : list of str
        The program.
    workload : str
        One of those it knows.
    clients, rounds : int
        How many.
    environment : mapping of str to str, optional
        Added to this process's; numeric libraries have one thread unless it says otherwise.

    Attributes
    ----------
    rounds : list of list of float
        The seconds of each round of each turn, the one that warms up too.
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
        self.name, self._command = name, [*command, *asked]
        self._environment = {**os.environ, **ENVIRONMENT, **(environment or {})}
        self.rounds: list[list[float]] = []

    def turn(self) -> float:
        """Make a run; return the seconds from the start of the process to its end.

        Raises
        ------
        ProgramError
            If it fails or takes too long; the end of what it said is in the message.
        """
        with tempfile.TemporaryDirectory() as folder:
            report, said = Path(folder, "rounds.json"), Path(folder, "output.txt")
            with said.open("wb") as output:  # not a pipe: what the run leaves behind may hold it open
                started = time.perf_counter()
                code = self._run(report, output)
                seconds = time.perf_counter() - started
            if code != 0 or not report.exists():
                text = said.read_text(errors="replace")[-2000:]
                raise ProgramError(f"{self.name}: exit code {code}\n{text}")
            self.rounds.append(json.loads(report.read_text()))
        return seconds

    def steady(self) -> list[float]:
        """Return the median seconds of a round in steady state, for each turn after the first."""
        return [statistics.median(rounds[UNSTEADY:]) for rounds in self.rounds[1:]]

    def close(self) -> None:
        """Do nothing."""

    def _run(self, report: Path, output: BinaryIO) -> int | None:
        """Make the run; return its exit code, or None if it took too long and was ended."""
        command = [*self._command, "--report", str(report)]
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        return done.returncode
