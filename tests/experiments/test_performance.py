"""The tools of the performance study: its table, its turns and its figures."""

import math
import random
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

STUDY = Path(__file__).parents[2] / "experiments" / "performance"
MODULES = ("rows", "arms", "figures")


@pytest.fixture
def study() -> dict[str, Any]:
    """Return the study's modules by name."""
    return {name: import_module(f"experiments.performance.{name}") for name in MODULES}


def test_a_row_sums_up_its_turns_and_says_whether_it_keeps_its_bound(study: dict[str, Any]) -> None:
    row = study["rows"].row_of("mean", "100 replies", "ratio", [3.0, 1.0, 2.0, 4.0, 5.0], "x", at_most=2.5)
    assert (row.value, row.low, row.high) == (3.0, 2.0, 4.0)
    assert (row.target, row.met) == ("≤ 2.5", False)
    assert study["rows"].row_of("a", "b", "c", [1.8], "x", at_least=1.8).met is True
    with pytest.raises(ValueError, match="turns"):
        study["rows"].row_of("a", "b", "c", [], "x")


def test_the_table_keeps_rows_that_are_not_measured_again(study: dict[str, Any], tmp_path: Path) -> None:
    rows = study["rows"]
    first = rows.Table(tmp_path, ["step", "mean"])
    old = rows.row_of("mean", "old, with | and ≤", "ratio", [1.25], "x", at_most=1.5, note="a, b")
    gone = rows.row_of("step", "old", "ratio", [1.0], "x")
    for row in (old, gone):
        first.add(row)
    new = [rows.missing("step", "batch 32", "no peer"), rows.row_of("step", "batch 64", "ratio", [1.1], "x")]
    again = rows.Table(tmp_path, ["step", "mean"])
    for row in new:
        again.add(row)
    kept = rows.read(tmp_path / "results.csv")
    assert [(row.section, row.setting) for row in kept] == [
        ("step", "batch 32"),
        ("step", "batch 64"),
        ("mean", "old, with | and ≤"),
    ]
    assert kept[1:] == [new[1], old]
    assert math.isnan(kept[0].value)
    assert "not measured: no peer" in (tmp_path / "results.md").read_text(encoding="utf-8")


class Counting:
    """An arm whose figure is the number of its turn."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log, self.turns = name, log, 0

    def turn(self) -> float:
        self.log.append(self.name)
        self.turns += 1
        return float(self.turns)


def test_arms_take_turns_after_a_turn_that_warms_up(study: dict[str, Any]) -> None:
    log: list[str] = []
    arms = [Counting("a", log), Counting("b", log)]
    figures = study["arms"].alternate(arms, 3, random.Random(0))
    assert figures == {"a": [2, 3, 4], "b": [2, 3, 4]}
    assert all(set(log[start : start + 2]) == {"a", "b"} for start in range(0, 8, 2))
    assert study["arms"].ratios({"a": [2.0, 6.0], "b": [1.0, 2.0]}, "a", "b") == [2.0, 3.0]
    with pytest.raises(ValueError, match="names of their own"):
        study["arms"].alternate([arms[0], arms[0]], 1, random.Random(0))


ANSWERS = """
import json
for line in map(json.loads, iter(input, "")):
    print(json.dumps({"seconds": line["x"]}))
"""


def test_a_program_answers_each_turn_and_its_end_is_told(study: dict[str, Any]) -> None:
    program = study["arms"].Program("p", [sys.executable, "-u", "-c", ANSWERS], {"x": 0.5})
    assert program.turn() == 0.5
    assert program.last == {"seconds": 0.5}
    program.close()
    broken = study["arms"].Program("broken", [sys.executable, "-c", "raise SystemExit('no such thing')"])
    with pytest.raises(study["arms"].ProgramError, match="no such thing"):
        broken.turn()
    broken.close()


def test_figures_show_the_measurements(study: dict[str, Any], tmp_path: Path) -> None:
    row_of = study["rows"].row_of
    rows = [row_of("speed_up", f"{n} actors, 2 workers", "x", [1.8, 1.9], "x") for n in (2, 8, 32)]
    rows += [row_of("overhead", f"100 clients, {s}, fedavg", "x", [0.1], "ms") for s in ("1 KB", "2.1 MB")]
    rows += [row_of("registered", f"{n} registered, y", "a round", [3.0], "ms") for n in (100, 1000)]
    rows.append(study["rows"].missing("registered", "10 registered, y", "no"))
    drawn = study["figures"].draw(rows, tmp_path)
    assert [path.name for path in drawn] == ["speed_up.png", "overhead.png", "registered.png"]
    assert all(path.stat().st_size > 10_000 for path in drawn)
    assert study["figures"].draw([], tmp_path) == []
