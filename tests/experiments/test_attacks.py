"""The study of attacks: its arms can be run, and its report says what its trials say."""

from pathlib import Path

import pytest

from experiments.attacks import arms
from experiments.attacks.__main__ import parts, report
from experiments.outcomes import Trial
from fedlocal.config.build import build
from fedlocal.seeds import Stream, generator


def test_an_arm_of_each_part_can_be_run_and_has_two_malicious_actors() -> None:
    for part in (*parts(False), *parts(True)):
        for arm in part.arms[-1:]:
            _, config = part.composed(arm)
            whom = {part_.name: part_.malicious for part_ in arms.PARTS}[part.name]
            malicious = build(config, "attack").malicious(int(config.actors), generator(0, Stream.ATTACK))
            assert len(malicious) == whom


@pytest.mark.slow
def test_every_arm_can_be_run() -> None:
    for part in parts(False):
        for arm in part.arms:
            part.composed(arm)


def made_up(folder: Path) -> list[Trial]:
    """Return trials of known accuracies: under an attack, the last of three fails."""
    return [
        Trial(part, arm.name, number, 20, 1.0, 1.0, accuracy, 0.5, None, "a", folder)
        for at, part, strategies in ((0, "iid", ("fedavg", "bulyan")), (1, "dirichlet", ("fedavg",)))
        for arm in arms.comparing(arms.PARTS[at], strategies)
        for number in range(3)
        for accuracy in [0.1 if number == 2 and not arm.name.endswith("none") else 0.8 + 0.01 * number]
    ]


def test_the_report_says_what_the_trials_say(tmp_path: Path) -> None:
    text = report(made_up(tmp_path), tmp_path)
    rows = [[cell.strip() for cell in line.split("|")][1:-1] for line in text.splitlines() if "|" in line]
    lines = [row for row in rows if row[0] in ("fedavg", "**bulyan**")]
    assert [row[0] for row in lines] == ["fedavg", "**bulyan**", "fedavg"]
    assert lines[0][1:3] == ["81 (80 to 82)", "80 (10 to 81)"]
    assert lines[1][1 + arms.ATTACKS.index("nans")] == ""  # it cannot be run
    assert "median of 3 trials" in text
    assert (tmp_path / "accuracy.png").stat().st_size > 10_000


def test_a_report_of_one_part_has_one_table(tmp_path: Path) -> None:
    dirichlet = [trial for trial in made_up(tmp_path) if trial.study == "dirichlet"]
    assert report(dirichlet, tmp_path).count("median of 3 trials") == 1
    assert (tmp_path / "accuracy.png").exists()
