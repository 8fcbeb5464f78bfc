"""Random kills during a federated run: cases 13 and 61 of the catalogue of faults."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc"),
]


@pytest.mark.parametrize(
    ("rounds", "kills", "workers", "restless"),
    [
        (4, 10, 2, ""),
        *[pytest.param(6, 40, workers, "restless", marks=pytest.mark.slow) for workers in (1, 2, 3)],
    ],
)
def test_13_61_the_hash_is_the_same_for_any_number_of_workers_with_and_without_nemesis(
    tmp_path: Path, rounds: int, kills: int, workers: int, restless: str
) -> None:
    command = [sys.executable, "-m", "tests.actors.faults.under_nemesis"]
    command += [*map(str, (tmp_path, rounds, kills, workers, restless))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout)
    for name, run in runs.items():
        assert run["hashes"] == runs["inline"]["hashes"], name
        assert (run["sound"], run["lost"], run["duplicated"], run["unexpected"]) == (True, 0, 0, 0)
        assert run["failed"] == 0
        assert set(run["deaths"]) == ({"killed"} if name in ("stormy", "restless") else set())
