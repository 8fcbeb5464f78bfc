"""The studies of speed: their arms can be run, and their reports say what their trials say."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from experiments.figure1.arms import points
from experiments.intervals import Interval
from experiments.outcomes import Trial
from experiments.points import Point, sequential
from experiments.reports import shown

STUDIES = ("batch_size", "datasets", "figure1")


@pytest.fixture(params=STUDIES)
def program(request: pytest.FixtureRequest) -> Any:
    """Return a study's program."""
    return import_module(f"experiments.{request.param}.__main__")


def test_an_arm_of_each_scheme_can_be_run(program: Any) -> None:
    part = program.parts(True)[0]
    schemes = {arm.name.partition("-")[0]: arm for arm in part.arms}
    assert {"sequential", "federated", "batch_parallel"} <= schemes.keys()
    for arm in schemes.values():
        part.composed(arm)


@pytest.mark.slow
def test_every_arm_can_be_run(program: Any) -> None:
    for part in program.parts(False):
        for arm in part.arms:
            part.composed(arm)


def made_up(program: Any, seconds: Callable[[int], float]) -> list[Any]:
    """Return three trials of each arm, in which the seconds of an arm with n actors are given."""
    trials = []
    for study in program.parts(False):
        for arm in study.arms:
            actors = int(arm.name.partition("-")[2].partition("x")[0] or 1)
            took, parallel = seconds(actors), not arm.name.startswith("sequential")
            for number in range(3):
                accuracy = 0.8 + 0.001 * number - (0.05 if parallel and actors == 8 else 0)
                measured = (2, took * (1 + 0.1 * number), 9.0, accuracy, 0.5, 0.25, "a")
                trials.append(Trial(study.name, arm.name, number, *measured, Path()))
    return trials


def cells(table: str, first: str) -> Sequence[str]:
    """Return the cells of the first line of a table that begins with a word."""
    line = next(line for line in table.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_report_says_what_the_trials_say(program: Any, tmp_path: Path) -> None:
    """The arms of a trial are slow together, so that their ratio is known exactly."""
    table = program.report(made_up(program, lambda actors: 8.0 / actors), tmp_path)
    assert "2.00 (2.00 to 2.00)" in table
    assert "8.00 (8.00 to 8.00)" in table
    assert "nan" not in table
    for figure in tmp_path.glob("*.png"):
        assert figure.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.glob("*.png"))


def test_a_report_of_the_first_trial_alone_has_no_intervals(program: Any, tmp_path: Path) -> None:
    first = [trial for trial in made_up(program, lambda actors: 8.0 / actors) if trial.number == 0]
    table = program.report(first[:-1], tmp_path)
    assert " 2.00 |" in table
    assert "nan" not in table
    assert " to " not in table


def test_the_report_says_what_its_intervals_show(program: Any) -> None:
    interval, nan = Interval, float("nan")
    lines = {
        "a": [interval(2.0, 1.5, 2.5, 3), interval(0.5, 0.4, 0.6, 3), interval(1.3, 0.9, 1.9, 2)],
        "b": [interval(2.0, nan, nan, 1), interval(nan, nan, nan, 0), interval(0.5, nan, nan, 1)],
    }
    table = shown((16, 32, 64), lines)
    assert cells(table, "a") == ["a", "16", "32", "64", "2, 3"]
    assert cells(table, "b") == ["b", "–", "–", "16, 64", "1"]


@pytest.mark.parametrize("program", ["figure1"], indirect=True)
def test_figure1_tests_whether_accuracies_are_alike(program: Any, tmp_path: Path) -> None:
    accuracies = program.report(made_up(program, float), tmp_path).partition("## Accuracy")[2]
    alike, lower = cells(accuracies, "federated-4x128"), cells(accuracies, "federated-8x128")
    assert (alike[3], alike[5]) == ("0.0000 (0.0000 to 0.0000)", "yes")
    assert (lower[3], lower[5]) == ("-0.0500 (-0.0500 to -0.0500)", "no")


@pytest.mark.parametrize("program", ["figure1"], indirect=True)
def test_the_partner_of_a_wave_makes_updates_of_as_many_rows(program: Any) -> None:
    assert Point("batch_parallel", 4, 128).partner == sequential(512)
    assert Point("federated", 4, 128).partner == sequential(128)
    names = [arm.name for part in program.parts(False) for arm in part.arms]
    for point in points((1, 2, 4, 8, 16, 32)):
        assert point.partner.name in names


@pytest.mark.parametrize("program", ["pipeline"], indirect=True)
def test_a_pipeline_has_a_plain_step_of_the_same_update_as_a_partner(program: Any, tmp_path: Path) -> None:
    (part,) = program.parts(False)
    arms = {arm.name: part.composed(arm)[1] for arm in part.arms}
    for rows in (32, 128, 512):
        plain, summed = arms[f"plain-{rows}"], arms[f"sequential-{rows}"]
        assert (plain.batch_size, plain.accumulate) == (summed.batch_size * summed.accumulate, 1)
    trials = made_up(program, lambda _: 4.0)
    faster = [replace(trial, seconds=trial.seconds / 2) for trial in trials if trial.arm.startswith("plain")]
    rest = [trial for trial in trials if not trial.arm.startswith("plain")]
    over_plain, over_sums = program.report([*rest, *faster], tmp_path).split("\n## ")
    assert cells(over_plain, "32")[1] == "0.50 (0.50 to 0.50)"
    assert cells(over_sums, "32")[1] == "1.00 (1.00 to 1.00)"
    assert program.report(rest, tmp_path).startswith("## Over one process that sums")
