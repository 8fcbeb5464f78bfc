"""Runs to report on: real ones, small, and some that went wrong."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fedlocal import compose, run
from fedlocal.results import write_json

SMALL = [
    "dataset=synthetic",
    "dataset.train=120",
    "dataset.test=40",
    "dataset.shape=[3,3]",
    "model.hidden=[4]",
    "rounds=2",
    "actors=2",
    "backend=inline",
    "display=off",
    "figures=false",
]
NASTY = "<script>alert(1)</script>\"'&{{7*7}}\x00\x1b</style>"
Trained = Callable[..., Path]
WriteRun = Callable[..., Path]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Return the folder of a real run, trained once in a session; not to be changed."""
    folders: dict[tuple[str, ...], Path] = {}

    def train(*overrides: str) -> Path:
        if overrides not in folders:
            folder = tmp_path_factory.mktemp("run")
            run(compose(*SMALL, *overrides), folder, overrides)
            folders[overrides] = folder
        return folders[overrides]

    return train


@pytest.fixture
def sweep(tmp_path: Path, trained: Trained) -> Path:
    """A sweep of two settings with two seeds each, a failed run, a killed one, and one that never began."""
    folder = tmp_path / "sweep"
    settings = [(partition, seed) for partition in ("iid", "dirichlet") for seed in (0, 1)]
    for number, (partition, seed) in enumerate(settings):
        shutil.copytree(trained(f"partition={partition}", f"seed={seed}"), folder / str(number))
    shutil.copytree(folder / "3", folder / "4")
    ended = {
        "status": "failed",
        "error": "ValueError: no luck",
        "overrides": ["partition=dirichlet", "seed=2"],
    }
    write_json(folder / "4" / "summary.json", {**ended, "arms": []})
    shutil.copytree(folder / "3", folder / "5")
    (folder / "5" / "summary.json").unlink()
    (folder / "6").mkdir()
    return folder


def unsealed(path: Path) -> str:
    """Return a file of results without the checksum that it ends in: a stranger can make that anew."""
    return re.sub(r', "sha256": "\w{64}"}\s*$', "}", path.read_text())


@pytest.fixture
def nasty(sweep: Path) -> Path:
    """The sweep, with words in all its files that must not be taken for anything but words."""
    for number in ("0", "4"):
        path = sweep / number / "summary.json"
        summary = json.loads(unsealed(path))
        summary["overrides"] += [f"note={NASTY}", "lone=\ud800"]
        summary["error"] = NASTY if number == "4" else None
        path.write_text(json.dumps(summary))
        path = sweep / number / "config.yaml"
        path.write_text(f"{path.read_text()}'<b>': {json.dumps(NASTY)}\n")
        path = sweep / number / "partition.json"
        partition = json.loads(unsealed(path))
        partition["classes"][0] = NASTY
        path.write_text(json.dumps(partition))
        path = sweep / number / "environment.json"
        path.write_text(json.dumps({**json.loads(unsealed(path)), "cpu": NASTY}))
    return sweep


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Write the summary of one run of a sweep, as the experiment room does."""

    def write(name: str, overrides: list[str], accuracy: float | None = 0.9, **changes: object) -> Path:
        arms = [
            {"name": "federated", "accuracy": accuracy, "loss": 0.3, "seconds": 2.0, "idle_share": 0.1},
            {"name": "sequential, 1 thread", "accuracy": 0.91, "loss": 0.2, "seconds": 3.0, "speed_up": 1.5},
            {"name": "sequential, all cores", "accuracy": 0.91, "loss": 0.2, "seconds": 2.4, "speed_up": 1.2},
        ]
        summary = {
            "status": "completed",
            "error": None,
            "overrides": overrides,
            "arms": arms,
            "hash": "ab" * 32,
            "rounds": 20,
            "duration": 7.5,
        }
        (tmp_path / name).mkdir(parents=True)
        write_json(tmp_path / name / "summary.json", summary | changes)
        return tmp_path / name

    return write
