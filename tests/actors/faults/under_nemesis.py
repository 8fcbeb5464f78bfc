"""Train under random kills, and print what came of it.

Arguments: FOLDER ROUNDS KILLS WORKERS, and ``restless`` to have workers come and go meanwhile as well.
"""

import json
import multiprocessing.forkserver
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fedlocal
from fedlocal.actors import ActorSystem, Autoscaler, audit
from fedlocal.flower.grid.backends import Actors
from fedlocal.flower.grid.local_grid import LocalGrid

OPTIONS = [
    "dataset=synthetic", "dataset.train=4000", "dataset.test=500", "dataset.shape=[28,28]", "actors=6",
    "partition=quantity", "baseline=false", "display=off", "model.hidden=[64]",
]  # fmt: skip


class Fickle(Autoscaler):
    """Changes the number of workers as messages are sent, at random."""

    def begin(self) -> None:
        self.system.resize(random.randint(self.least, self.most))

    def end(self, messages: int, seconds: float, busy: float) -> None:
        pass


class Restless(Actors):
    """A backend whose workers come and go whatever the load."""

    def open(self, start: Any, costs: Any, workers: int, journal: Path | None = None) -> LocalGrid:
        system = self.clients(start, workers, journal)
        assert isinstance(system, ActorSystem)
        return LocalGrid(system, costs, Fickle(system, 1, workers + 2))


def _workers() -> list[int]:
    """Return the workers of this process: children of its fork server that lead a session."""
    server, workers = str(multiprocessing.forkserver._forkserver._forkserver_pid), []  # type: ignore[attr-defined]
    for process in Path("/proc").iterdir():
        with suppress(OSError, IndexError):
            fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
            if fields[1] == server and fields[3] == process.name:
                workers.append(int(process.name))
    return workers


@contextmanager
def nemesis(seed: int, kills: int) -> Iterator[None]:
    """Kill a random worker each 20 to 100 ms, until there were as many kills."""
    stop, rng = threading.Event(), random.Random(seed)

    def kill() -> None:
        left = kills
        while left and not stop.wait(rng.uniform(0.02, 0.1)):
            if workers := _workers():
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(workers), signal.SIGKILL)
                    left -= 1

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def trained(folder: Path, *options: str) -> dict[str, Any]:
    """Train; return the hashes of the weights and what the journal says."""
    folder.mkdir()
    run = fedlocal.run(fedlocal.compose(*OPTIONS, *options), folder)
    events = audit(folder / "journal.jsonl")
    return {**vars(events), "sound": events.sound, "hashes": str(run.hashes)}


def main(folder: Path, rounds: str, kills: str, workers: str, restless: str = "") -> None:
    common = (f"rounds={rounds}", f"workers={workers}", "backend.max_kills=1000")
    runs = {
        "inline": trained(folder / "inline", common[0], "backend=inline"),
        "calm": trained(folder / "calm", *common),
    }
    with nemesis(int(workers), int(kills)):
        runs["stormy"] = trained(folder / "stormy", *common)
    if restless:
        where = "backend._target_=tests.actors.faults.under_nemesis.Restless"
        with nemesis(int(workers) + 1, int(kills)):
            runs["restless"] = trained(folder / "restless", *common, where)
    print(json.dumps(runs))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
