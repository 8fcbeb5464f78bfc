"""The study of partitions: its arms can be run, and its report says what its trials say."""

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from experiments.outcomes import Trial
from experiments.partitions import arms, measures
from experiments.partitions.__main__ import parts, report
from fedlocal.results import History, Round

RESULTS = Path(arms.__file__).with_name("results.csv")


def test_an_arm_of_each_part_can_be_run() -> None:
    for part in (*parts(False), *parts(True)):
        _, config = part.composed(part.arms[-1])
        assert config.actors == 10


@pytest.mark.slow
def test_every_arm_can_be_run() -> None:
    for part in parts(False):
        for arm in part.arms:
            part.composed(arm)


@pytest.mark.skipif(not RESULTS.exists(), reason="the study has not been run")
def test_the_rates_are_those_that_the_grid_found() -> None:
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    with RESULTS.open(newline="") as file:
        for row in csv.DictReader(file):
            strategy, _, value = row["arm"].partition("_")[0].partition("=")
            if row["study"] == "rates":
                sums[strategy][value] += float(row["accuracy"])
    assert {strategy: max(tried, key=tried.__getitem__) for strategy, tried in sums.items()} == arms.CHOSEN


LOST = {"iid": 0.0, "orthogonal": 0.25}


def made_up(folder: Path) -> list[Trial]:
    """Return trials that lose known points of accuracy, and timed ones with known times."""
    trials = [
        Trial("accuracy", arm.name, number, 20, 1.0, 1.0, accuracy, 0.5, None, "a", folder)
        for arm in arms.comparing()
        for number in range(3)
        for accuracy in [0.8 + 0.01 * number - LOST.get(arm.name.partition("_")[2], 0.1)]
    ]
    for number, arm in enumerate(arms.timing()):
        runs = folder / arm.name
        runs.mkdir(parents=True)
        actors = {0: {"num-examples": 600, "seconds": 3.0 + number}, 1: {"num-examples": 200, "seconds": 1.0}}
        with History(runs) as history:
            history.record(Round(0))
            history.record(Round(1, {"training": 3.0}, actors=actors))
        trials.append(Trial("idle", arm.name, 0, 6, 1.0, 1.0, 0.8, 0.5, 0.25, "a", runs))
    return trials


def test_the_report_says_what_the_trials_say(tmp_path: Path) -> None:
    trials = made_up(tmp_path / "runs")
    accuracies, losses = (
        {
            cells[1]: cells[2:-1]
            for line in part.splitlines()
            if len(cells := [cell.strip() for cell in line.split("|")]) > 3
        }
        for part in report(trials, tmp_path).split("Points of accuracy")
    )
    assert accuracies["orthogonal"][0].startswith("56.0 (")
    assert losses["orthogonal"][0] == "25.0 (25.0 to 25.0)"  # the same in each trial
    assert losses["shards 2"][0] == losses["shards 2"][3] == "10.0 (10.0 to 10.0)"
    assert losses["shards 2"][-1] == "no"
    assert (tmp_path / "accuracy.png").stat().st_size > 10_000
    assert (tmp_path / "idle.png").stat().st_size > 10_000
    idle = measures.idle([trial for trial in trials if trial.study == "idle"], arms.TIMED[0])
    assert idle
    assert (idle.largest, idle.measured.estimate) == (75.0, 25.0)
    assert idle.apart.estimate == pytest.approx(100 - 100 * 4 / 6)
    assert idle.least == pytest.approx(100 / 3)


def test_a_report_of_one_part_has_one_table(tmp_path: Path) -> None:
    trials = [trial for trial in made_up(tmp_path / "runs") if trial.study == "idle"]
    assert report(trials, tmp_path).startswith("Idle time")
    assert not (tmp_path / "accuracy.png").exists()


@pytest.mark.parametrize(
    ("largest", "workers", "idle"),
    [(10, 2, 0.0), (50, 2, 0.0), (100, 2, 50.0), (10, 10, 0.0), (20, 10, 50.0)],
)
def test_sizes_alone_leave_workers_idle(largest: float, workers: int, idle: float) -> None:
    assert measures.least_idle(largest, workers) == pytest.approx(idle)
