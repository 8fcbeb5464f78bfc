"""The figures of a run are drawn by actors, wherever those run, and never take the run with them."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedlocal.actors import ActorSystem, Behaviour, InlineSystem, System
from fedlocal.data import Dataset, Partition, Rows
from fedlocal.experiment.figures import draw
from fedlocal.experiment.partition_summary import summarize_partition
from fedlocal.results import History, MessageError, Round

pytestmark = pytest.mark.usefixtures("no_leaks")

Open = Callable[[Callable[[], Behaviour], int], System]


def processes(start: Callable[[], Behaviour], workers: int) -> System:
    return ActorSystem(start, workers=workers)


def inline(start: Callable[[], Behaviour], workers: int) -> System:
    return InlineSystem(start)


@pytest.fixture
def summary() -> dict[str, Any]:
    rows = Rows(np.zeros((5, 1), np.float32), np.array([0, 1, 1, 2, 2]))
    dataset = Dataset("some", rows, rows, np.array(["a", "b", "c"]), (1,))
    return summarize_partition(dataset, Partition(np.array([0, 2, 4, 1, 3]), np.array([0, 3, 5])))


@pytest.fixture
def histories() -> dict[str, History]:
    history = History()
    history.record(Round(0, metrics={"loss": 2.0}))
    work = {"started": 0.5, "seconds": 1.0, "worker": 0.0}
    history.record(
        Round(1, metrics={"loss": 1.0}, actors={0: work}, errors=(MessageError(1, "train", "gone"),))
    )
    return {"federated": history}


def test_the_figures_are_the_same_wherever_they_are_drawn(
    tmp_path: Path, summary: dict[str, Any], histories: dict[str, History]
) -> None:
    drawn = {}
    for open_system in (processes, inline):
        draw(tmp_path, histories, summary, open_system)
        drawn[open_system] = {figure.name: figure.read_bytes() for figure in tmp_path.iterdir()}
    assert set(drawn[inline]) == {"learning_curves.png", "partition.png", "timeline.png"}
    assert drawn[inline] == drawn[processes]


def test_drawing_leaves_the_histories_whole(
    tmp_path: Path, summary: dict[str, Any], histories: dict[str, History]
) -> None:
    draw(tmp_path, histories, summary, inline)
    assert histories["federated"].rounds[1].actors[0]["seconds"] == 1.0


def test_a_scheme_without_actors_has_no_timeline(tmp_path: Path, summary: dict[str, Any]) -> None:
    history = History()
    history.record(Round(1, {"training": 1.0}, {"loss": 1.0}))
    draw(tmp_path, {"sequential": history}, summary, inline)
    assert {figure.name for figure in tmp_path.iterdir()} == {"learning_curves.png", "partition.png"}


@pytest.mark.parametrize("open_system", [processes, inline])
def test_a_figure_that_fails_is_logged_and_leaves_the_other_figure(
    tmp_path: Path,
    summary: dict[str, Any],
    histories: dict[str, History],
    open_system: Open,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "learning_curves.png").mkdir()  # in the way
    with caplog.at_level(logging.ERROR):
        draw(tmp_path, histories, summary, open_system)
    assert "learning_curves.png" in caplog.text
    assert (tmp_path / "partition.png").is_file()


def test_a_system_that_does_not_open_is_logged(
    tmp_path: Path, summary: dict[str, Any], histories: dict[str, History], caplog: pytest.LogCaptureFixture
) -> None:
    def closed(start: Callable[[], Behaviour], workers: int) -> System:
        raise OSError("no more processes")

    draw(tmp_path, histories, summary, closed)
    assert "no more processes" in caplog.text


def test_without_figures_nothing_is_drawn_and_matplotlib_is_not_loaded(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from fedlocal import compose, run
small = ("dataset=synthetic", "dataset.train=50", "rounds=1", "actors=2", "backend=inline", "display=off")
run(compose(*small, "figures=false"), Path.cwd())
print("matplotlib" in sys.modules)
"""
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert shown.stdout.strip() == "False"
    assert (tmp_path / "summary.json").exists()
    assert not list(tmp_path.glob("*.png"))
