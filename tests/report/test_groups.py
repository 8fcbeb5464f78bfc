from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fedlocal.report.comparison_table import comparison_table
from fedlocal.report.groups import SettingsComparison, compare
from fedlocal.report.headline import answer
from fedlocal.report.markdown import markdown
from fedlocal.report.recorded_run import RecordedRun
from fedlocal.results.arm import Arm
from fedlocal.results.runs import SweepRow

BASE = "sequential, 1 thread"


def recorded(name: str, accuracy: float | None, *, base: float = 0.9, **config: str) -> RecordedRun:
    arms = (
        Arm("federated", accuracy, 0.1, 2.0, efficiency=0.7),
        Arm(BASE, base, 0.1, 4.0, speed_up=2.0),
    )
    row = SweepRow(
        name, "completed", arms=arms, hash="ab" * 32, hashes={BASE: f"base of {config.get('seed')}"}
    )
    return RecordedRun(name, Path(name), row, config)


@pytest.fixture
def comparison() -> SettingsComparison:
    values = {("2", "0"): 0.80, ("2", "1"): 0.82, ("4", "0"): 0.90, ("4", "1"): 0.93, ("10", "0"): 0.85}
    runs = [
        recorded(f"{actors}/{seed}", value, actors=actors, seed=seed)
        for (actors, seed), value in values.items()
    ]
    failed = SweepRow("bad", "failed", "no luck")
    return compare([*runs, RecordedRun("bad", Path("bad"), failed, {"actors": "99", "seed": "0"})])


def texts(comparison: SettingsComparison) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in comparison_table(comparison).rows]


def test_runs_that_differ_in_their_seed_alone_are_one_setting_the_best_first(
    comparison: SettingsComparison,
) -> None:
    assert [group.label for group in comparison.groups] == ["actors=4", "actors=10", "actors=2", "actors=99"]
    assert [group.seeds for group in comparison.groups] == [2, 1, 2, 0]


def test_repeats_of_one_seed_are_no_further_evidence() -> None:
    runs = [recorded("0", 0.8, seed="0"), recorded("1", 0.8, seed="0"), recorded("2", 0.9, seed="1")]
    (group,) = compare(runs).groups
    interval = group.of(lambda arm: arm.accuracy)
    assert interval.estimate == pytest.approx(0.85)
    assert interval.trials == 2


def test_differences_from_the_baseline_are_taken_seed_by_seed() -> None:
    runs = [recorded("0", 0.8, base=0.9, seed="0"), recorded("1", 0.6, base=0.7, seed="1")]
    interval = compare(runs).groups[0].against(lambda arm: arm.accuracy, BASE)
    assert (interval.estimate, interval.high - interval.low) == pytest.approx((-0.1, 0.0))


def test_a_baseline_that_settings_have_in_common_is_one_line(comparison: SettingsComparison) -> None:
    table = comparison_table(comparison)
    (baseline,) = [row for row in table.rows if row.baseline]
    assert [cell.text for cell in baseline.cells][:4] == [BASE, "any", BASE, "0.9000"]
    assert table.sorted == "descending"


def test_a_failed_setting_is_the_last_line(comparison: SettingsComparison) -> None:
    assert texts(comparison)[-1][:4] == ["actors=99", "99", "", "failed"]


def test_the_answer_names_the_best_and_how_sure_that_is(comparison: SettingsComparison) -> None:
    summary = answer(comparison)
    assert summary.sentence.startswith("actors=4 did best of 3 settings: accuracy 0.9150 ± ")
    assert f"1.5 percentage points above {BASE} (0.9000)" in summary.sentence
    assert "lead over the other setting" in summary.caution  # one of the others has one seed only
    assert [(fact.name, fact.value) for fact in summary.facts][-1] == ("runs completed", "5 of 6")


def test_a_time_that_was_not_measured_side_by_side_is_marked() -> None:
    run = recorded("0", 0.9, seed="0")
    main, baseline = run.row.arms
    comparison = compare([replace(run, row=replace(run.row, arms=(main, replace(baseline, reused="1"))))])
    assert "~2.00×" in [cell for line in texts(comparison) for cell in line]
    assert any("not measured side by side" in note for note in comparison_table(comparison).notes)


def test_a_ratio_from_a_busy_machine_is_marked_or_left_out() -> None:
    def at(contention: float) -> SettingsComparison:
        run = recorded("0", 0.9, seed="0")
        main, baseline = run.row.arms
        arms = main, replace(baseline, contention=contention)
        return compare([replace(run, row=replace(run.row, arms=arms))])

    marked, hidden = at(0.2), at(0.8)
    assert "?2.00×" in [cell for line in texts(marked) for cell in line]
    assert ("speed-up", "?2.00×") in [(fact.name, fact.value) for fact in answer(marked).facts]
    assert any(note.startswith("? others had the cores") for note in comparison_table(marked).notes)
    assert not any("2.00×" in cell for line in texts(hidden) for cell in line)
    assert any(note.startswith("Without the speed-ups of 0") for note in comparison_table(hidden).notes)


def test_a_baseline_that_was_ended_has_no_training_time_and_a_note() -> None:
    run = recorded("0", 0.9, seed="0")
    main, baseline = run.row.arms
    arms = main, baseline, Arm("sequential, 8 threads", None, None, 432.1, ended=14)
    shown = compare([replace(run, row=replace(run.row, arms=arms))])
    assert not any("432" in cell for line in texts(shown) for cell in line)
    assert any("8 threads was ended early" in note for note in comparison_table(shown).notes)


def test_a_regression_is_ranked_by_its_loss() -> None:
    def lossy(name: str, loss: float) -> RecordedRun:
        return RecordedRun(
            name, Path(name), SweepRow(name, "completed", arms=(Arm("local", None, loss, 1.0),)), {"k": name}
        )

    comparison = compare([lossy("a", 2.0), lossy("b", 1.0), lossy("c", float("nan"))])
    assert [group.settings[0] for group in comparison.groups] == ["b", "a", "c"]
    assert comparison_table(comparison).sorted == "ascending"


def test_real_valued_targets_are_ranked_in_their_own_units_where_they_were_scaled() -> None:
    def scaled(name: str, loss: float, rmse: float) -> RecordedRun:
        arm = Arm("local", None, loss, 1.0, rmse=rmse)
        return RecordedRun(name, Path(name), SweepRow(name, "completed", arms=(arm,)), {"k": name})

    comparison = compare([scaled("a", 0.1, 30.0), scaled("b", 0.2, 20.0)])
    assert (comparison.quality, [group.settings[0] for group in comparison.groups]) == ("rmse", ["b", "a"])


def test_a_run_whose_configuration_is_lost_is_a_setting_of_its_own() -> None:
    lost: dict[str, Any] = {}
    comparison = compare(
        [recorded("0", 0.9, actors="2"), recorded("1", 0.8, actors="4"), recorded("2", 0.7, **lost)]
    )
    assert len(comparison.groups) == 3


def test_markdown_is_a_table_in_which_words_are_words() -> None:
    text = markdown(
        comparison_table(compare([recorded("0", 0.9, k="a|b<c>*d*\ne"), recorded("1", 0.8, k="x")]))
    )
    head, rule, *rows = text.partition("\n\n")[0].splitlines()
    assert rule.count("|") == head.count("|")
    assert any(r"| a\|b&lt;c&gt;\*d\* e |" in row for row in rows)
