"""The study of attacks: its arms can be run, and its report says what its trials say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fedlocal
from fedlocal.config.build import build
from fedlocal.config.validation import check
from fedlocal.seeds import Stream, generator
from tests.experiments.studies import imported

MODULES = ("arms", "measures", "tables", "figures", "study")
COMMON = ("trials", "outcomes", "command", "intervals", "reports")


@pytest.fixture(scope="module")
def study() -> Iterator[Any]:
    """Import the study's modules by the names that they have for one another."""
    with imported("attacks", *COMMON, *MODULES) as modules:
        yield modules


def composed(study: Any, part: Any, arms: Any) -> Iterator[fedlocal.Config]:
    for arm in arms:
        yield fedlocal.compose(*study.trials._overrides(part, arm))


def test_an_arm_of_each_part_can_be_run_and_has_two_malicious_actors(study: Any) -> None:
    for part in (*study.study.studies(False), *study.study.studies(True)):
        for config in composed(study, part, part.arms[-1:]):
            check(config)
            whom = {part_.name: part_.malicious for part_ in study.arms.PARTS}[part.name]
            malicious = build(config, "attack").malicious(int(config.actors), generator(0, Stream.ATTACK))
            assert len(malicious) == whom


@pytest.mark.slow
def test_every_arm_can_be_run(study: Any) -> None:
    for part in study.study.studies(False):
        for config in composed(study, part, part.arms):
            check(config)


def made_up(study: Any, folder: Path) -> list[Any]:
    """Return trials of known accuracies: under an attack, the last of three fails."""
    return [
        study.outcomes.Trial(part, arm.name, number, 20, 1.0, 1.0, accuracy, 0.5, None, "a", folder)
        for at, part, strategies in ((0, "iid", ("fedavg", "bulyan")), (1, "dirichlet", ("fedavg",)))
        for arm in study.arms.comparing(study.arms.PARTS[at], strategies)
        for number in range(3)
        for accuracy in [0.1 if number == 2 and not arm.name.endswith("none") else 0.8 + 0.01 * number]
    ]


def test_the_report_says_what_the_trials_say(study: Any, tmp_path: Path) -> None:
    study.study.report(made_up(study, tmp_path), tmp_path)
    text = (tmp_path / "results.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")][1:-1] for line in text.splitlines() if "|" in line]
    lines = [row for row in rows if row[0] in ("fedavg", "**bulyan**")]
    assert [row[0] for row in lines] == ["fedavg", "**bulyan**", "fedavg"]
    assert lines[0][1:3] == ["81 (80 to 82)", "80 (10 to 81)"]
    assert lines[1][1 + study.arms.ATTACKS.index("nans")] == ""  # it cannot be run
    assert "median of 3 trials" in text
    assert (tmp_path / "accuracy.png").stat().st_size > 10_000


def test_a_report_of_one_part_has_one_table(study: Any, tmp_path: Path) -> None:
    study.study.report([trial for trial in made_up(study, tmp_path) if trial.study == "dirichlet"], tmp_path)
    assert (tmp_path / "results.md").read_text().count("median of 3 trials") == 1
    assert (tmp_path / "accuracy.png").exists()
