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
    ("rounds", "kills", "workers"),
    [(6, 20, "2"), pytest.param(6, 40, "1 2 3", marks=pytest.mark.slow)],
)
def test_13_61_one_hash_for_any_number_of_workers_with_and_without_nemesis(
    tmp_path: Path, rounds: int, kills: int, workers: str
) -> None:
    command = [sys.executable, "-m", "tests.actors.faults.under_nemesis", str(tmp_path / "runs")]
    command += [str(rounds), str(kills), *workers.split()]
    (tmp_path / "runs").mkdir()
    done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout)
    assert len(runs) == 1 + 2 * len(workers.split())
    for name, run in runs.items():
        assert run["hashes"] == runs["inline"]["hashes"], name
        assert (run["sound"], run["lost"], run["duplicated"], run["unexpected"]) == (True, 0, 0, 0)
        assert run["failed"] == 0
        assert set(run["deaths"]) == ({"killed"} if name.startswith("stormy") else set())
