"""The tools of the performance study: its table, its turns and its figures."""

import math
import random
import sys
from pathlib import Path

import pytest

from experiments import rows, turns
from experiments.performance import figures, programs
from experiments.performance.peers.whole_runs import WholeRun
from experiments.records import read
from experiments.runner import Options, make


def test_a_row_sums_up_its_turns_and_says_whether_it_keeps_its_bound() -> None:
    row = rows.row_of("mean", "100 replies", "ratio", [3.0, 1.0, 2.0, 4.0, 5.0], "x", at_most=2.5)
    assert (row.value, row.low, row.high) == (3.0, 2.0, 4.0)
    assert (row.target, row.met) == ("≤ 2.5", "no")
    assert rows.row_of("a", "b", "c", [1.8], "x", at_least=1.8).met == "yes"
    with pytest.raises(ValueError, match="turns"):
        rows.row_of("a", "b", "c", [], "x")


def test_the_table_keeps_rows_that_are_not_measured_again(tmp_path: Path) -> None:
    table = tmp_path / "results.csv"
    old = rows.row_of("mean", "old, with | and ≤", "ratio", [1.25], "x", at_most=1.5, note="a, b")
    rows.put(table, "mean", [old])
    rows.put(table, "step", [rows.row_of("step", "old", "ratio", [1.0], "x")])
    new = [rows.missing("step", "batch 32", "no peer"), rows.row_of("step", "batch 64", "ratio", [1.1], "x")]
    rows.put(table, "step", new)
    kept = read(table, rows.Row)
    assert [(row.section, row.setting) for row in kept] == [
        ("mean", "old, with | and ≤"),
        ("step", "batch 32"),
        ("step", "batch 64"),
    ]
    assert [kept[0], kept[2]] == [old, new[1]]
    assert math.isnan(kept[1].value)
    assert "not measured: no peer" in rows.as_markdown(kept)


SECTION = """
from experiments.rows import row_of

def measure(options):
    yield row_of("a", "b", "c", [1.0], "x")
    raise OSError("no such machine")
"""


def test_a_section_that_fails_keeps_what_it_measured_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "failing_section.py").write_text(SECTION)
    monkeypatch.syspath_prepend(str(tmp_path))
    section = rows.Section("a", "failing_section")
    assert make(section.tasks(Options(tmp_path, tmp_path)), "a") == 1
    assert "no such machine" in capsys.readouterr().err
    assert [row.note for row in section.records(tmp_path)] == ["", "not measured: OSError: no such machine"]


class Counting:
    """An arm whose figure is the number of its turn."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log, self.turns = name, log, 0

    def turn(self) -> float:
        self.log.append(self.name)
        self.turns += 1
        return float(self.turns)

    def close(self) -> None:
        pass


def test_arms_take_turns_after_a_turn_that_warms_up() -> None:
    log: list[str] = []
    arms = [Counting("a", log), Counting("b", log)]
    figures = turns.alternate(arms, 3, random.Random(0))
    assert figures == {"a": [2, 3, 4], "b": [2, 3, 4]}
    assert all(set(log[start : start + 2]) == {"a", "b"} for start in range(0, 8, 2))
    assert turns.ratios({"a": [2.0, 6.0], "b": [1.0, 2.0]}, "a", "b") == [2.0, 3.0]
    with pytest.raises(ValueError, match="names of their own"):
        turns.alternate([arms[0], arms[0]], 1, random.Random(0))


ANSWERS = """
import json
for line in map(json.loads, iter(input, "")):
    print(json.dumps({"seconds": line["x"]}))
"""


def test_a_program_answers_each_turn_and_its_end_is_told() -> None:
    program = programs.Program("p", [sys.executable, "-u", "-c", ANSWERS], {"x": 0.5})
    assert program.turn() == 0.5
    assert program.last == {"seconds": 0.5}
    program.close()
    broken = programs.Program("broken", [sys.executable, "-c", "raise SystemExit('no such thing')"])
    with pytest.raises(programs.ProgramError, match="no such thing"):
        broken.turn()
    broken.close()


def test_figures_show_the_measurements(tmp_path: Path) -> None:
    measured = [rows.row_of("speed_up", f"{n} actors, 2 workers", "x", [1.8, 1.9], "x") for n in (2, 8, 32)]
    measured += [
        rows.row_of("overhead", f"100 clients, {s}, fedavg", "x", [0.1], "ms") for s in ("1 KB", "2.1 MB")
    ]
    measured += [rows.row_of("registered", f"{n} registered, y", "a round", [3.0], "ms") for n in (100, 1000)]
    measured.append(rows.missing("registered", "10 registered, y", "no"))
    drawn = figures.draw(measured, tmp_path)
    assert [path.name for path in drawn] == ["speed_up.png", "overhead.png", "registered.png"]
    assert all(path.stat().st_size > 10_000 for path in drawn)
    assert figures.draw([], tmp_path) == []


@pytest.mark.slow
def test_a_whole_run_reports_the_seconds_of_its_rounds() -> None:
    run = WholeRun("fedlocal", programs.module("peers.fedlocal_run"), "echo", 3, 3)
    assert run.turn() > sum(run.rounds[0]) > 0
    assert len(run.rounds[0]) == 3
    wrong = programs.Command("wrong", [sys.executable, "-c", "raise SystemExit('no such run')"])
    with pytest.raises(programs.ProgramError, match="no such run"):
        wrong.turn()
