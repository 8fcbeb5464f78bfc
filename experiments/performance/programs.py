"""Programs as arms: a child process that does a turn for each line it reads, or is started anew each time."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from fedlocal.actors.worker.threads import ONE_THREAD

ROOT = Path(__file__).parents[2]
LIMIT = 900.0  # seconds that a command may take
PATIENCE = 20.0  # seconds that a program has to end when its input has ended

Answer = dict[str, Any]


class ProgramError(RuntimeError):
    """A program ended, or answered with something else than a line of JSON."""


class Program:
    """A child process, in any environment, that does one turn for each line it reads.

    A turn writes one line of JSON, ``{"turn": k, **request}``, to the program's input, and reads one from
    its output: ``{"seconds": …, …}``, of which `last` keeps the whole. It runs in the checkout, and numeric
    libraries in it have one thread.
    """

    def __init__(self, name: str, command: list[str], request: Mapping[str, Any] | None = None) -> None:
        self.name, self.request = name, dict(request or {})
        self.last: Answer = {}
        self._turns = 0
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def turn(self) -> float:
        """Have the program do one turn; return its ``seconds``.

        If it ended instead, the end of what it said on stderr is in a ProgramError.
        """
        self._turns += 1
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError):  # it has ended; the read tells
            self._process.stdin.write(json.dumps({"turn": self._turns, **self.request}) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        try:
            self.last = dict(json.loads(line))
            return float(self.last["seconds"])
        except (ValueError, TypeError, KeyError) as error:
            raise ProgramError(
                f"{self.name}: expected a line of JSON with seconds, got {line!r}\n{self._said()}"
            ) from error

    def close(self) -> None:
        """End the program's input and wait for it; kill it if it does not end."""
        try:
            self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._errors.close()

    def _said(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._errors.seek(0)
        return self._errors.read()[-2000:]


class Fresh:
    """An arm that starts a program anew for each turn; `answers` keeps all, also the one that warms up."""

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
        return Program(self.name, self._command, self._request)


class Command:
    """An arm that types a command and waits for the prompt, in a new folder; `lines` counts its output."""

    def __init__(self, name: str, words: list[str], environment: Mapping[str, str] | None = None) -> None:
        self.name, self.words = name, words
        self.lines: list[float] = []
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}

    def turn(self) -> float:
        """Run it; return the seconds from start to end."""
        with tempfile.TemporaryDirectory() as folder:
            return self.run(Path(folder))

    def run(self, folder: Path, *more: str) -> float:
        """Run it in a folder, with more arguments; return the seconds from start to end.

        If it fails or takes too long, the end of what it said is in a ProgramError.
        """
        with tempfile.TemporaryFile() as output:  # not a pipe: what it leaves behind may hold it open
            started = time.perf_counter()
            process = subprocess.Popen(
                [*self.words, *more],
                cwd=folder,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            with suppress(subprocess.TimeoutExpired):
                process.wait(LIMIT)
            seconds = time.perf_counter() - started
            process.kill()
            output.seek(0)
            said = output.read().decode(errors="replace")
        if code := process.wait():
            raise ProgramError(f"{self.name}: exit code {code}\n{said[-2000:]}")
        self.lines.append(float(len(said.splitlines())))
        return seconds


def module(name: str, python: str = sys.executable) -> list[str]:
    """Return the command that runs a module of this study."""
    return [python, "-m", f"experiments.performance.{name}"]


def serve(turn: Callable[[Mapping[str, Any]], Answer]) -> None:
    """Answer each request on the input, as `Program` sends them, with a line of JSON."""
    answers = sys.stdout
    with redirect_stdout(sys.stderr):
        for line in sys.stdin:
            print(json.dumps(turn(json.loads(line))), file=answers, flush=True)


def fedlocal_command() -> list[str]:
    """Return the words that call this environment's ``fedlocal``."""
    script = Path(sys.executable).with_name("fedlocal")
    return [str(script)] if script.exists() else [sys.executable, "-m", "fedlocal"]
