"""Processes that the study starts anew for a turn, and what they do there."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any

from experiments.performance.arms import Program, ProgramError

ROOT = Path(__file__).parents[2]
Answer = dict[str, Any]


def module(name: str) -> list[str]:
    """Return the command that runs a module of this study; its folder must be `ROOT`."""
    return [sys.executable, "-m", f"experiments.performance.{name}"]


def serve(turn: Callable[[Mapping[str, Any]], Answer]) -> None:
    """Answer each request on the input, as `arms.Program` sends them, with a line of JSON."""
    answers = sys.stdout
    with redirect_stdout(sys.stderr):
        for line in sys.stdin:
            print(json.dumps(turn(json.loads(line))), file=answers, flush=True)


class Fresh:
    """An arm that starts a program anew for each turn.

    Parameters
    ----------
    name : str
        What the arm is called.
    command : list of str
        A program that answers requests.
    request : mapping
        What it is asked, once.

    Attributes
    ----------
    answers : list of dict
        The whole answer of each turn, the one that warms up too.
    """

    def __init__(self, name: str, command: list[str], request: Mapping[str, Any]) -> None:
        self.name = name
        self.answers: list[Answer] = []
        self._command, self._request = command, request

    def turn(self) -> float:
        """Start, ask and end the program; return its ``seconds``."""
        with closing(self.start()) as program:
            seconds = program.turn()
            self.answers.append(program.last)
        return seconds

    def start(self) -> Program:
        """Start the program alone; the caller asks and closes it."""
        return Program(self.name, self._command, self._request, folder=ROOT)

    def close(self) -> None:
        """Do nothing."""


class Command:
    """An arm that types a command and waits for the prompt, in a new and empty folder.

    Parameters
    ----------
    name : str
        What the arm is called.
    words : list of str
        The command; what it prints is read and dropped.
    """

    def __init__(self, name: str, words: list[str]) -> None:
        self.name, self._words = name, words

    def turn(self) -> float:
        """Run it; return the seconds from start to end.

        Raises
        ------
        ProgramError
            If it fails; the end of what it said is in the message.
        """
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            done = subprocess.run(self._words, cwd=folder, capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - started
        if done.returncode:
            raise ProgramError(f"{self.name}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        return seconds

    def close(self) -> None:
        """Do nothing."""


def fedlocal_command() -> list[str]:
    """Return the words that call this environment's ``fedlocal``."""
    script = Path(sys.executable).with_name("fedlocal")
    return [str(script)] if script.exists() else [sys.executable, "-m", "fedlocal"]
