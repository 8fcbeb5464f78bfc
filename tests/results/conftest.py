from collections.abc import Callable
from pathlib import Path

import pytest

from fedlocal.results import write_json

WriteRun = Callable[..., Path]


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
