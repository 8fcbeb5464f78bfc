"""One trial: a run in a process of its own, the nemesis at its workers, and the evidence afterwards."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from experiments.faults.judge import Evidence
from experiments.faults.nemesis import Choice, Menace, Nemesis, Prey
from experiments.faults.processes import MARK, Process, abandoned, end, left_over
from fedlocal.actors.worker.threads import ONE_THREAD

ROOT = Path(__file__).parents[2]
ORPHANS = 60.0  # seconds that a process may take to be gone, on a busy machine
SHARED = Path("/dev/shm")  # noqa: S108 - shared memory that has a name lies there


@dataclass(frozen=True)
class Program:
    """What a trial runs: it writes ``report.json`` into a folder that it is given, and makes it.

    The folder stands between the words of the command and its arguments. While it trains there is a
    ``journal.jsonl`` in that folder, and after that its last event is ``closed``. `workers` and `origin`
    choose whom the nemesis may hit; if `tidy`, it promises to leave nothing behind.
    """

    words: tuple[str, ...]
    arguments: tuple[str, ...]
    workers: Choice
    origin: Choice
    tidy: bool = True


def fedlocal_program(overrides: Sequence[str]) -> Program:
    """Return a run of fedlocal."""
    words = (sys.executable, "-m", "experiments.faults.subject")
    return Program(words, tuple(overrides), _fedlocal_workers, _forkservers)


def flower_program(python: str, request: Path) -> Program:
    """Return a run of Flower's simulation on Ray, which leaves logs behind; see `on_ray` for the request."""
    words = (python, "-m", "experiments.faults.on_ray")
    return Program(words, (str(request),), _ray_workers, lambda _: [], tidy=False)


def _fedlocal_workers(processes: Sequence[Process]) -> list[Process]:
    """Choose the workers: they lead sessions of their own, as soon as they run."""
    return [
        process
        for process in processes
        if b"forkserver" in process.command and process.session == process.pid
    ]


def _forkservers(processes: Sequence[Process]) -> list[Process]:
    parents = {process.parent for process in processes}
    forked = [
        process
        for process in processes
        if b"forkserver" in process.command and process.session != process.pid
    ]
    return [process for process in forked if process.pid in parents]


def _ray_workers(processes: Sequence[Process]) -> list[Process]:
    return [process for process in processes if process.command.startswith(b"ray::ClientAppActor")]


def trial(program: Program, menace: Menace, seed: int, folder: Path, limit: float) -> Evidence:
    """Run a program under a nemesis, into ``run`` in a folder; the watchdog ends it after `limit` seconds."""
    mark, results = uuid4().hex, folder / "run"
    journal, shared = results / "journal.jsonl", set(SHARED.iterdir())
    prey = Prey(mark, program.workers, program.origin, journal.exists, lambda: _closed(journal))
    nemesis = Nemesis(menace, prey, seed)
    with tempfile.TemporaryDirectory(prefix="nem-", ignore_cleanup_errors=True) as temporary:
        started = time.perf_counter()
        process = _start(program, mark, folder, temporary)
        nemesis.start()
        try:
            code = _wait(process, limit)
        finally:
            nemesis.end()
            seconds = time.perf_counter() - started
            left = _left_over(process, mark, temporary, shared)
    said = (folder / "output.txt").read_text(errors="replace")
    tidy = program.tidy and code is not None
    return Evidence(code, seconds, nemesis.tried, _report(results), journal, left if tidy else {}, said)


def _start(program: Program, mark: str, folder: Path, temporary: str) -> "subprocess.Popen[bytes]":
    variables = {"PYTHONPATH": str(ROOT), "TMPDIR": temporary, "RAY_TMPDIR": temporary, MARK: mark}
    with (folder / "output.txt").open("wb") as output:
        return subprocess.Popen(
            [*program.words, str(folder / "run"), *program.arguments],
            cwd=folder,
            env={**os.environ, **ONE_THREAD, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _left_over(
    process: "subprocess.Popen[bytes]", mark: str, temporary: str, shared: set[Path]
) -> dict[str, int]:
    """Count what a run left behind, and end what still runs of it."""
    if process.poll() is None:
        end(mark)
        process.wait()
    return {
        "processes": len(left_over(mark, ORPHANS)),
        "temporary files": len(list(Path(temporary).iterdir())),
        "shared memory": len(abandoned(SHARED, shared)),
    }


def _wait(process: "subprocess.Popen[bytes]", limit: float) -> int | None:
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None


def _closed(journal: Path) -> bool:
    """Tell whether training has ended: what happens afterwards is not in the journal."""
    if not journal.exists():
        return False
    with journal.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 200))
        return b'{"event": "closed"' in stream.read()


def _report(results: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((results / "report.json").read_text()))
    except FileNotFoundError:
        return {}
