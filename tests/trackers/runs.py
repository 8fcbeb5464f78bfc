"""Runs for the tests of trackers: whole ones that take a moment, and one that is killed in its midst."""

import signal
import subprocess
import sys
from pathlib import Path

SMALL = [
    "dataset=synthetic",
    "dataset.train=200",
    "dataset.test=50",
    "dataset.shape=[4,4]",
    "model.hidden=[8]",
    "backend=inline",
    "rounds=6",
    "display=off",
]
DIES = """
import os, signal
from fedlocal.cli.main import main
from fedlocal.trackers import dispatch

dispatch.PAUSE = dispatch.REST = 0
note = dispatch.TrackerDispatch.note

def die_of_the_third(self):
    note(self)
    if len(next(iter(self._histories().values())).rounds) == 4:
        os.kill(os.getpid(), signal.SIGKILL)

dispatch.TrackerDispatch.note = die_of_the_third
main()
"""


def killed(parent: Path, *arguments: str) -> Path:
    """Return the folder of a run that was killed after its third round, of which trackers were told."""
    folder = parent / "run"
    line = [sys.executable, "-c", DIES, *SMALL, "checkpoint_every=1", *arguments, "hydra.run.dir=run"]
    done = subprocess.run(line, cwd=parent, check=False)
    assert done.returncode == -signal.SIGKILL
    return folder
