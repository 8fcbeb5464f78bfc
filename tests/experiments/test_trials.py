"""The common runner of studies: what it runs and in which order, what it leaves alone, what it reads back."""

import csv
import json
import logging
import math
import os
import random
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments import intervals, outcomes, quiet
from experiments.runner import Options, StudyError, main, make
from experiments.trials import Arm, Comparison
from experiments.trials import study as study_of
from fedlocal.results import History, Meter, Round
from fedlocal.results.contention import Reading

TINY = (
    "dataset=synthetic",
    "dataset.train=60",
    "dataset.test=20",
    "dataset.shape=[4]",
    "model.hidden=[4]",
    "checkpoint_every=1",
    "rounds=3",
)


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures of the runs, which take a second each."""
    monkeypatch.setattr("fedlocal.experiment.summary.draw", lambda *_: None)


@pytest.fixture
def study() -> Comparison:
    """Return a study of two arms that takes a moment."""
    arms = (Arm("alone", ("scheme=sequential",)), Arm("two", ("actors=2",)))
    return Comparison("tiny", "debug", arms, trials=2, overrides=TINY)


def run(study: Comparison, folder: Path) -> int:
    """Make what is missing of a comparison; return how many runs failed."""
    return make(list(study.tasks(Options(folder, folder))), study.name)


def load(folder: Path) -> list[outcomes.Trial]:
    return outcomes.load(folder / "runs" / "tiny")


def lines(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, int]]:
    """Return the arm and the number of each run that was reported since the last call."""
    words = [line.split(": ", 1)[1].split(", ") for line in capsys.readouterr().out.splitlines()]
    return [(arm, int(trial.removeprefix("trial "))) for arm, trial, *_ in words]


def test_a_study_makes_every_trial_of_every_arm_and_then_nothing_more(
    study: Comparison, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(study, tmp_path) == 0
    made = lines(capsys)
    assert sorted(made) == [("alone", 0), ("alone", 1), ("two", 0), ("two", 1)]
    assert [number for _, number in made] == [0, 0, 1, 1]  # trial by trial
    assert run(study, tmp_path) == 0
    assert lines(capsys) == []
    run(replace(study, trials=3), tmp_path)
    assert sorted(lines(capsys)) == [("alone", 2), ("two", 2)]
    assert not list(tmp_path.rglob("*.npz"))


def test_the_order_of_the_arms_is_drawn_for_each_trial(study: Comparison, tmp_path: Path) -> None:
    many = replace(study, trials=20)
    planned = [(int(task.trial.split()[1]), task.arm) for task in many.tasks(Options(tmp_path, tmp_path))]
    assert [arm for _, arm in planned[:2]] == many.order(random.Random(0))
    assert {arm for _, arm in planned[::2]} == {"alone", "two"}
    assert all(planned[at][0] == planned[at + 1][0] == at // 2 for at in range(0, 40, 2))


def test_arms_that_are_compared_follow_one_another(study: Comparison) -> None:
    names = {name: "even" if number % 2 else "odd" for number, name in enumerate("abcdef")}
    grouped = replace(study, arms=tuple(Arm(name, group=group) for name, group in names.items()))
    for number in range(20):
        order = grouped.order(random.Random(number))
        assert sorted(order) == list("abcdef")
        assert len({names[arm] for arm in order[:3]}) == 1


def test_the_trial_is_the_seed(study: Comparison, tmp_path: Path) -> None:
    run(study, tmp_path)
    trials = load(tmp_path)
    assert len({trial.hash for trial in trials}) == 4
    assert "seed: 1\n" in (tmp_path / "runs" / "tiny" / "two" / "trial-01" / "config.yaml").read_text()


def interrupt(monkeypatch: pytest.MonkeyPatch, run: int, number: int) -> None:
    """Have Ctrl-C pressed as a round of the given run is recorded."""
    seen, record = [0], History.record

    def pressed(self: History, round_: Round) -> None:
        record(self, round_)
        seen[0] += round_.number == 0
        if (seen[0], round_.number) == (run, number):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(History, "record", pressed)


@pytest.mark.parametrize("timed", [True, False])
def test_a_study_that_was_interrupted_goes_on(
    study: Comparison,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    timed: bool,
) -> None:
    study = replace(study, timed=timed)
    run(study, tmp_path / "whole")
    lines(capsys)
    with monkeypatch.context() as patch:
        interrupt(patch, run=2, number=2)
        with pytest.raises(KeyboardInterrupt):
            run(study, tmp_path / "halves")
    assert len(lines(capsys)) == len(load(tmp_path / "halves")) == 1
    with caplog.at_level(logging.INFO, "fedlocal"):
        run(study, tmp_path / "halves")
    assert ("going on after round 1" in caplog.text) is not timed
    assert len(lines(capsys)) == 3
    whole, halves = (load(tmp_path / name) for name in ("whole", "halves"))
    assert [trial.hash for trial in halves] == [trial.hash for trial in whole]
    assert all([round_.number for round_ in trial.history().rounds] == [0, 1, 2, 3] for trial in halves)


def test_a_run_with_another_configuration_is_an_error_before_anything_runs(
    study: Comparison, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(replace(study, trials=1), tmp_path)
    lines(capsys)
    other = replace(study, overrides=(*TINY, "batch_size=7"))
    with pytest.raises(StudyError, match=r"trial-00 holds .* batch_size=32 in place of 7"):
        run(other, tmp_path)
    assert lines(capsys) == []


def test_a_typo_is_an_error_before_anything_runs(study: Comparison, tmp_path: Path) -> None:
    wrong = replace(study, arms=(*study.arms, Arm("wrong", ("rounds=0",))))
    with pytest.raises(ValueError, match="rounds=0: must be at least 1"):
        run(wrong, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_leaves_other_runs_alone_and_is_tried_again(
    study: Comparison, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = Arm("wild", ("model.learning_rate=1e30",))
    study = replace(study, arms=(*study.arms, wild), trials=1)
    assert run(study, tmp_path) == 1
    assert "a smaller learning rate may help" in capsys.readouterr().err
    assert [trial.arm for trial in load(tmp_path)] == ["alone", "two"]
    assert run(study, tmp_path) == 1
    assert [arm for arm, _ in lines(capsys)] == ["wild"]


def test_a_timed_run_is_made_anew_if_other_processes_had_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, contended, taken = [0.0], [0.0], iter([3.0, 0.4, 5.0])

    class Fake(Meter):
        def __init__(self) -> None:
            super().__init__(lambda: Reading(clock[0], process=0.0, busy=contended[0]))

    def run() -> None:
        clock[0] += 10.0
        contended[0] += next(taken)

    monkeypatch.setattr(quiet, "Meter", Fake)
    assert quiet.quietly(run, patient=True) == {"contended": pytest.approx(0.04), "attempts": 2}
    assert quiet.quietly(run, patient=False) == {"contended": pytest.approx(0.5), "attempts": 1}


def test_a_study_compares_times_row_for_row() -> None:
    quarter = [trial("a", number, seconds=1.0 + number, trained_rows=250) for number in (0, 1)]
    whole = [trial("b", number, seconds=8.0 + 8 * number, trained_rows=1000) for number in (0, 1)]
    speed_up = outcomes.speed_up([*quarter, *whole], "a", "b")
    assert (speed_up.estimate, speed_up.trials) == pytest.approx((2.0, 2))
    unknown = [replace(trial, trained_rows=None) for trial in quarter]
    assert outcomes.speed_up([*unknown, *whole], "a", "b").estimate == pytest.approx(8.0)


@pytest.mark.parametrize("names", [("a", "a"), ("a/b", "c"), ("..", "c"), ("", "c")])
def test_arms_need_names_of_their_own(names: tuple[str, ...]) -> None:
    with pytest.raises(StudyError, match="a name of its own"):
        Comparison("tiny", "debug", tuple(map(Arm, names)), 1)


def report(trials: Any, folder: Path) -> str:
    return " ".join(f"{trial.arm}-{trial.number}" for trial in trials)


def test_the_report_is_rebuilt_from_the_folders_alone(study: Comparison, tmp_path: Path) -> None:
    first, moved = tmp_path / "first", tmp_path / "moved"

    def call(*arguments: str) -> int:
        return main(study_of(str(tmp_path / "__main__.py"), lambda quick: [study], report), arguments)

    assert call("--folder", str(first), "--trials", "1") == 0
    shutil.copytree(first / "runs", moved / "runs")
    assert call("--folder", str(moved), "--report-only") == 0
    for name in ("results.csv", "results.md", "environment.json"):
        assert (moved / name).read_bytes() == (first / name).read_bytes()
    assert (moved / "results.md").read_text() == "alone-0 two-0"
    with (moved / "results.csv").open(newline="") as file:
        alone, two = csv.DictReader(file)
    summary = json.loads((first / "runs" / "tiny" / "two" / "trial-00" / "summary.json").read_text())
    assert (two["study"], two["arm"], two["number"], two["rounds"]) == ("tiny", "two", "0", "3")
    assert two["hash"] == summary["hash"]
    assert float(two["seconds"]) == summary["arms"][0]["seconds"]
    assert alone["idle_share"] == ""
    assert json.loads((moved / "environment.json").read_text())["workers"] >= 1


def test_the_baselines_of_a_run_are_trials_too(study: Comparison, tmp_path: Path) -> None:
    beside = replace(study, arms=(Arm("two", ("actors=2", "baseline=true")),), trials=1)
    run(beside, tmp_path)
    main, *baselines = load(tmp_path)
    assert (main.arm, main.idle_share is not None) == ("two", True)
    assert baselines[0].arm == "two, sequential, 1 thread"
    assert baselines[0].history().seconds == baselines[0].seconds > 0
    assert baselines[0].hash != main.hash
    outcomes.write_environment(tmp_path / "environment.json", [main, *baselines])
    assert json.loads((tmp_path / "environment.json").read_text())["workers"] >= 1


def test_a_report_without_a_completed_run_is_refused(
    study: Comparison, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--folder", str(tmp_path), "--report-only"]
    assert main(study_of(str(tmp_path / "__main__.py"), lambda quick: [study], report), arguments) == 1
    assert "no completed run" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def trial(arm: str, number: int, **measured: float | None) -> Any:
    fields: dict[str, Any] = {"seconds": 1.0, "whole": 2.0, "accuracy": None, "loss": 0.5, "idle_share": None}
    return outcomes.Trial("tiny", arm, number, 3, **(fields | measured), hash="", folder=Path())


def test_arms_are_paired_by_trial() -> None:
    trials = [trial("a", number, seconds=10.0 + number) for number in (0, 1, 3)]
    trials += [trial("b", number, seconds=20.0 + number) for number in (3, 2, 1)]
    assert outcomes.paired(trials, "a", "b") == ([11.0, 13.0], [21.0, 23.0])
    assert outcomes.paired(trials, "a", "b", "accuracy") == ([], [])


def test_a_mean_has_the_interval_of_students_t() -> None:
    interval = intervals.mean([1.0, 2.0, 3.0])
    # t(0.975, 2) = 4.302653, the standard error is 1 / sqrt(3)
    assert (interval.estimate, interval.trials) == (2.0, 3)
    assert (interval.low, interval.high) == pytest.approx((-0.484138, 4.484138), abs=1e-6)
    alone, none = intervals.mean([2.0]), intervals.mean([])
    assert alone.estimate == 2.0
    assert math.isnan(alone.low)
    assert math.isnan(none.estimate)


def test_the_ratio_is_that_of_the_trials() -> None:
    interval = intervals.ratio([2.0, 8.0, 4.0], [1.0, 1.0, 1.0])
    assert interval.estimate == pytest.approx(4.0)
    half = 4.302653 * math.log(2) / math.sqrt(3)
    assert (interval.low, interval.high) == pytest.approx((4 * math.exp(-half), 4 * math.exp(half)), rel=1e-6)
    inverse = intervals.ratio([1.0, 1.0, 1.0], [2.0, 8.0, 4.0])
    ends = (inverse.low, inverse.estimate, inverse.high)
    assert ends == pytest.approx((1 / interval.high, 1 / interval.estimate, 1 / interval.low))
    for of, over in (([1.0], [1.0, 2.0]), ([1.0], [0.0])):
        with pytest.raises(ValueError, match="as many positive values"):
            intervals.ratio(of, over)


def test_an_effect_on_both_arms_of_a_trial_does_not_widen_the_interval() -> None:
    slow = np.array([1.0, 3.0, 2.0, 5.0])
    interval = intervals.ratio(list(2 * slow), list(slow))
    assert (interval.low, interval.high) == pytest.approx((2.0, 2.0))


@given(
    st.lists(st.floats(-0.02, 0.02).map(lambda x: round(x, 4)), min_size=2, max_size=10),
    st.sampled_from([0.003, 0.0051, 0.02]),
)
def test_equivalence_is_two_one_sided_tests(differences: list[float], margin: float) -> None:
    test = intervals.equivalence(differences, [0.0] * len(differences), margin)
    within = -margin < test.difference.low and test.difference.high < margin
    assert test.shown == within
    assert not (test.shown and test.refuted)
    if np.ptp(differences) > 1e-3:  # the textbook's way needs differences that differ
        above = stats.ttest_1samp(differences, -margin, alternative="greater").pvalue
        below = stats.ttest_1samp(differences, margin, alternative="less").pvalue
        assert test.p == pytest.approx(max(above, below), abs=1e-9)


def test_equal_accuracies_are_equivalent_and_too_few_trials_show_nothing() -> None:
    assert intervals.equivalence([0.9, 0.8], [0.9, 0.8], 0.01).p == 0.0
    assert intervals.equivalence([0.5, 0.5], [0.25, 0.25], 0.01).p == 1.0
    alone = intervals.equivalence([0.9], [0.9], 0.01)
    assert not alone.shown
    assert not alone.refuted
    with pytest.raises(ValueError, match="margin=0: must be above 0"):
        intervals.equivalence([0.9], [0.9], 0)
