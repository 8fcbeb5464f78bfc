"""Flower apps in their folders, unchanged: ``fedlocal simulate`` against Flower's simulation on Ray."""

import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from experiments.performance.arms import ProgramError, alternate, ratios
from experiments.performance.peers.environments import PeerMissing, python_of
from experiments.performance.processes import ROOT, fedlocal_command
from experiments.performance.rows import Row, missing, row_of
from experiments.performance.sections import Options

HOME = Path(__file__).parents[1]
APPS = {"current": "the message API", "older": "NumPyClient and server_fn"}
NODES, TURNS = 10, 5
FEDLOCAL, FLOWER = "fedlocal", "Flower on Ray"


class Shell:
    """A command as people give it: how long it takes, and how many lines it prints.

    Parameters
    ----------
    name : str
        What it is called in the table.
    command : list of str
        The program and its arguments; run in an empty folder.
    """

    def __init__(self, name: str, command: list[str]) -> None:
        self.name, self._command = name, command
        self.lines: list[float] = []

    def turn(self) -> float:
        """Run it; return its seconds."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            done = subprocess.run(
                self._command, cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            seconds = time.perf_counter() - started
        said = done.stdout + done.stderr
        if done.returncode:
            raise ProgramError(f"{self.name}: exit code {done.returncode}\n{said[-2000:]}")
        self.lines.append(float(len(said.splitlines())))
        return seconds

    def close(self) -> None:
        """Do nothing."""


def measure(options: Options) -> Iterator[Row]:
    """Yield the ratio of the times of each app, and how many lines each prints."""
    try:
        python = python_of("ray", options.peers)
    except PeerMissing as reason:
        yield missing("whole_apps", "", str(reason))
        return
    for app, about in APPS.items():
        folder = str(HOME / "flower_apps" / app)
        arms = [
            Shell(FEDLOCAL, [*fedlocal_command(), "simulate", folder, f"num_supernodes={NODES}"]),
            Shell(FLOWER, [python, "-m", "experiments.performance.peers.flower_app", folder, str(NODES)]),
        ]
        figures = alternate(arms, TURNS, random.Random(options.seed))
        ours, theirs = (statistics.median(figures[arm.name]) for arm in arms)
        said = [statistics.median(arm.lines) for arm in arms]
        setting = f"{about}, {NODES} nodes, 5 rounds"
        note = f"{theirs:.3g} s, fedlocal {ours:.3g}"
        turns = ratios(figures, FLOWER, FEDLOCAL)
        yield row_of(
            "whole_apps", setting, f"from shell to prompt: {FLOWER} / {FEDLOCAL}", turns, "x", note=note
        )
        for arm, count in zip(arms, said, strict=True):
            yield row_of("whole_apps", setting, f"lines that {arm.name} prints", [count], "")
