"""The study of time to accuracy: when a run reached a target, which rate is best, what is reported."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fedlocal
from experiments.runner import main
from experiments.time_to_accuracy import arms, reaching, tables
from experiments.time_to_accuracy.__main__ import STUDY
from fedlocal.config.validation import check
from fedlocal.results import History, Round, write_json


def test_a_target_is_reached_between_two_evaluations() -> None:
    history = History()
    history.record(Round(0, {"start-up": 9.0}, {"accuracy": 0.1}))
    history.record(Round(1, {"training": 2.0, "evaluation": 9.0}, {"accuracy": 0.8}))
    history.record(Round(2, {"training": 1.0, "aggregation": 1.0}))  # not evaluated
    history.record(Round(3, {"training": 2.0}, {"accuracy": 0.9}))
    history.record(Round(4, {"training": 2.0}, {"accuracy": 0.7}))
    course = reaching.course(history, 4)
    assert course == [(0.0, 0, 0.1), (2.0, 4, 0.8), (6.0, 12, 0.9), (8.0, 16, 0.7)]
    assert reaching.reached(course, 0.85) == pytest.approx((4.0, 8.0, 0.85))
    assert reaching.reached(course, 0.8) == pytest.approx((2.0, 4.0, 0.8))
    assert reaching.reached(course, 0.05) == course[0]  # before any training
    assert reaching.reached(course, 0.91) is None
    assert reaching.reached([], 0.5) is None


@given(accuracies=st.lists(st.floats(0, 1), min_size=1), target=st.floats(0, 1))
def test_a_target_is_reached_no_later_than_it_is_seen(accuracies: list[float], target: float) -> None:
    course = [reaching.Moment(2.0 * at, at, accuracy) for at, accuracy in enumerate(accuracies)]
    reached = reaching.reached(course, target)
    seen = next((moment for moment in course if moment.accuracy >= target), None)
    assert (reached is None) == (seen is None)
    if reached and seen:
        assert seen.passes - 1 <= reached.passes <= seen.passes
        assert reached.seconds == pytest.approx(2 * reached.passes)


def test_the_best_rate_is_the_soonest_at_the_hardest_target() -> None:
    def course(*accuracies: float) -> list[Any]:
        return [reaching.Moment(at, at, accuracy) for at, accuracy in enumerate((0.1, *accuracies))]

    ascending = [
        course(0.5, 0.6, 0.6),
        course(0.5, 0.6, 0.7),
        course(0.7, 0.8, 0.86),
        course(0.7, 0.86, 0.86),
        course(0.7, 0.8, 0.9),
        course(0.5, 0.9, 0.6),
    ]
    merits = [tables.merit(rate) for rate in ascending]
    assert merits == sorted(merits)
    assert len(set(merits)) == len(merits)


@pytest.mark.slow
def test_every_arm_is_a_configuration_of_as_many_passes() -> None:
    for arm in (*arms.timed(40), *arms.tuned(20)):
        config = fedlocal.compose("experiment=time_to_accuracy", *arm.overrides)
        check(config)
        assert config.rounds * config.local_epochs == (20 if "-rate-" in arm.name else 40)
        assert config.evaluate_every == 1
        assert not config.baseline


def write_trial(folder: Path, study: str, arm: str, number: int, accuracies: list[float]) -> None:
    run = folder / "runs" / study / arm / f"trial-{number:02d}"
    run.mkdir(parents=True)
    with History(run) as history:
        for at, accuracy in enumerate(accuracies):
            seconds = {"training": 1.0 + 0.1 * number} if at else {}
            history.record(Round(at, seconds, {"accuracy": accuracy}))
    arms = [{"name": "x", "accuracy": accuracies[-1], "loss": 0.1, "seconds": history.seconds}]
    summary = {"status": "completed", "error": None, "overrides": [], "arms": arms, "hash": "ab", "rounds": 2}
    write_json(run / "summary.json", {**summary, "duration": 5.0})
    write_json(run / "environment.json", {})


def test_the_report_is_made_from_the_folders_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        write_trial(tmp_path, "timing", "sequential-1x128", number, [0.1, 0.8, 0.9])
        write_trial(tmp_path, "timing", "federated-2x128-epochs-4", number, [0.1, 0.86, 0.86 + number / 50])
        write_trial(tmp_path, "timing", "batch_parallel-8x128", number, [0.1, 0.2, 0.3])
    write_trial(tmp_path, "tuning", "sequential-1x128-rate-0.25", 0, [0.1, 0.8, 0.86])
    write_trial(tmp_path, "tuning", "sequential-1x128-rate-0.7", 0, [0.1, 0.86, 0.87])
    assert main(replace(STUDY, home=tmp_path), ["--report-only"]) == 0
    text = (tmp_path / "results.md").read_text()
    row = {line.split(" | ")[0].lstrip("| "): line for line in reversed(text.splitlines()) if "|" in line}
    assert "1.6 (" in row["sequential, batches of 128"]  # 1.5 and 1.65 seconds to 0.85
    assert "not in 2 passes" in row["batch_parallel, 8 actors x 128 rows"]
    assert "1 of 2 trials" in row["federated, 2 actors, 4 local epochs"]
    assert "0.87 after 2.0 | 0.7 | 0.7 |" in text
    for figure in ("accuracy.png", "targets.png"):
        assert (tmp_path / figure).stat().st_size > 10_000


def test_a_ratio_says_how_many_times_as_fast() -> None:
    moment, base, method = reaching.Moment, arms.BASE, arms.METHODS[1]
    runs = {
        base: {number: [moment(0, 0, 0.1), moment(8.0, 4, 0.9)] for number in range(3)},
        method: {number: [moment(0, 0, 0.1), moment(4.0, 4, 0.9)] for number in range(3)},
    }
    text = tables.as_markdown(runs, [])
    assert "| 2.00 (2.00 to 2.00) | 2.00 (2.00 to 2.00) | 2.00 (2.00 to 2.00) |" in text
    assert "not in" not in text
