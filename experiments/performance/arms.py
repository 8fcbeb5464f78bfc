"""What is compared takes turns: whatever else the machine does, it does to all arms alike."""

import json
import os
import random
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fedlocal.actors.worker.threads import ONE_THREAD

PATIENCE = 20.0  # seconds that a program has to end when its input has ended


class Arm(Protocol):
    """One of the things compared."""

    @property
    def name(self) -> str:
        """What it is called in the table."""
        ...

    def turn(self) -> float:
        """Run once; return its seconds, or another figure."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


@dataclass(frozen=True)
class Call:
    """A function of this process as an arm; it returns its own figure."""

    name: str
    function: Callable[[], float]

    def turn(self) -> float:
        """Call it."""
        return self.function()

    def close(self) -> None:
        """Do nothing."""


class ProgramError(RuntimeError):
    """A program ended, or answered with something else than a line of JSON."""


class Program:
    """A child process, in any environment, that does one turn for each line it reads.

    A turn writes one line of JSON, ``{"turn": k, **request}``, to the program's input, and reads one from
    its output: ``{"seconds": …, …}``. Numeric libraries in it have one thread, unless `environment` says
    otherwise.

    Parameters
    ----------
    name : str
        What the arm is called.
    command : list of str
        The program and its arguments.
    request : mapping, optional
        Sent with each turn.
    environment : mapping of str to str, optional
        Added to this process's.
    folder : Path, optional
        Where it runs.

    Attributes
    ----------
    last : dict
        The whole answer of the last turn.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        request: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name, self.request = name, dict(request or {})
        self.last: dict[str, Any] = {}
        self._turns = 0
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **ONE_THREAD, **(environment or {})},
            cwd=folder,
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def turn(self) -> float:
        """Have the program do one turn; return its ``seconds``.

        Raises
        ------
        ProgramError
            If it ended instead; the end of what it said on stderr is in the message.
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


Turns = dict[str, list[float]]
"""The figures of each arm, turn by turn."""


def alternate(arms: Sequence[Arm], turns: int, rng: random.Random) -> Turns:
    """Give each arm as many turns, in a new random order each time, after one that warms up and is dropped.

    Parameters
    ----------
    arms : sequence of Arm
        With distinct names.
    turns : int
        Kept turns of each.
    rng : random.Random
        Draws the orders.

    Returns
    -------
    dict of str to list of float
        By name, in the order of `arms`; position k of all lists is from the same turn.
    """
    figures: Turns = {arm.name: [] for arm in arms}
    if len(figures) != len(arms):
        raise ValueError(f"arms need names of their own, got {[arm.name for arm in arms]}")
    for number in range(turns + 1):
        for arm in rng.sample(list(arms), len(arms)):
            figure = arm.turn()
            if number:
                figures[arm.name].append(figure)
    return figures


def ratios(figures: Mapping[str, Sequence[float]], of: str, over: str) -> list[float]:
    """Return one arm's figures divided by another's, turn by turn."""
    return [first / second for first, second in zip(figures[of], figures[over], strict=True)]
