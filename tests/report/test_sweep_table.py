import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import fields
from itertools import product
from pathlib import Path

import pytest
from rich.console import Console

from fedlocal.config.schema import Config
from fedlocal.report.sweep_table import comparison_csv, sweep_figure, sweep_notes, sweep_table, write_sweep
from fedlocal.results import Arm, SweepRow, collect
from fedlocal.results.runs import differing
from tests.figures.test_figures import assert_drawn

WriteRun = Callable[..., Path]


def printed(rows: list[SweepRow]) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=80)
    console.print(sweep_table(rows, "the sweep"))
    console.print("\n".join(sweep_notes(rows)), markup=False, soft_wrap=True)
    return stream.getvalue()


def test_runs_come_in_the_order_of_their_numbers(tmp_path: Path, write_run: WriteRun) -> None:
    for name in ("10", "9", "named", "0"):
        write_run(name, ["actors=4"])
    (tmp_path / ".hydra").mkdir()
    (tmp_path / "figures").mkdir()
    (tmp_path / "comparison.csv").touch()
    (tmp_path / "3").touch()
    assert [row.run for row in collect(tmp_path)] == ["0", "9", "10", "named"]


def test_runs_in_folders_of_folders_are_found_and_named_by_their_paths(
    tmp_path: Path, write_run: WriteRun
) -> None:
    for name in ("a/1", "a/0", "b/actors=4/seed=1"):
        write_run(name, ["actors=4"])
    (tmp_path / "a" / "2").mkdir()
    (tmp_path / "b" / "killed").mkdir()
    (tmp_path / "b" / "killed" / "config.yaml").touch()
    rows = collect(tmp_path)
    assert [row.run for row in rows] == ["a/0", "a/1", "a/2", "b/actors=4/seed=1", "b/killed"]
    assert [row.status for row in rows[1:3]] == ["completed", "unreadable"]


def test_a_run_is_read_whole(tmp_path: Path, write_run: WriteRun) -> None:
    write_run("0", ["actors=4", "+partition.alpha=0.3", "~tracker", "model.hidden=[512,256]"])
    (row,) = collect(tmp_path)
    assert row.status == "completed"
    assert row.overrides == {
        "actors": "4",
        "partition.alpha": "0.3",
        "tracker": "removed",
        "model.hidden": "[512,256]",
    }
    assert row.main is not None
    assert (row.main.name, row.main.accuracy, row.main.speed_up) == ("federated", 0.9, None)
    assert row.speed_ups == {"sequential, 1 thread": 1.5, "sequential, all cores": 1.2}
    assert (row.rounds, row.duration, row.hash) == (20, 7.5, "ab" * 32)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"status": "completed", "arms": 3}',
        '{"status": "completed", "arms": [{}]}',
    ],
)
def test_a_damaged_summary_is_a_row_with_the_reason(tmp_path: Path, content: str) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "summary.json").write_text(content)
    (row,) = collect(tmp_path)
    assert row.status == "unreadable"
    assert "damaged" in str(row.error)
    assert row.main is None


def test_a_missing_summary_is_a_row_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (row,) = collect(tmp_path)
    assert (row.status, row.main) == ("unreadable", None)
    assert "still running, or killed" in str(row.error)


def test_only_differences_between_known_runs_count(tmp_path: Path, write_run: WriteRun) -> None:
    write_run("0", ["actors=1", "dataset=digits"])
    write_run("1", ["actors=2", "dataset=digits"])
    write_run("2", ["actors=2", "dataset=digits", "seed=1"])
    (tmp_path / "3").mkdir()
    assert differing(collect(tmp_path)) == ["actors", "seed"]


def test_the_table_shows_results_and_reasons(tmp_path: Path, write_run: WriteRun) -> None:
    write_run("0", ["actors=2", "dataset=digits"])
    write_run(
        "1", ["actors=2000", "dataset=digits"], status="failed", error="more actors\nTraceback", arms=[]
    )
    text = printed(collect(tmp_path))
    assert "the sweep" in text
    assert "actors" in text
    assert "dataset" not in text
    assert "0.9000" in text
    assert "1.50x" in text
    assert "1.20x" in text
    assert "run 1 failed: more actors" in text
    assert "Traceback" not in text


def test_a_regression_is_compared_by_its_loss(tmp_path: Path, write_run: WriteRun) -> None:
    write_run("0", ["actors=2"], accuracy=None, arms=[{"name": "local", "loss": "nan", "seconds": 1.0}])
    text = printed(collect(tmp_path))
    assert "nan" in text
    assert "accuracy" not in text


def test_an_empty_sweep_is_an_empty_table(tmp_path: Path) -> None:
    assert "run" in printed(write_sweep(tmp_path))
    assert (tmp_path / "comparison.csv").exists()


def test_the_files_grow_with_the_sweep(tmp_path: Path, write_run: WriteRun) -> None:
    write_run("0", ["actors=1"], status="failed", error='no, "really"\nnot', arms=[])
    write_sweep(tmp_path)
    assert not (tmp_path / "comparison.png").exists()
    write_run("1", ["actors=2"])
    write_sweep(tmp_path, figure=False)
    assert not (tmp_path / "comparison.png").exists()
    write_sweep(tmp_path)
    assert (tmp_path / "comparison.png").stat().st_size > 5_000
    with (tmp_path / "comparison.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["run"], line["arm_name"]) for line in lines] == [
        ("0", ""),
        ("1", "federated"),
        ("1", "sequential, 1 thread"),
        ("1", "sequential, all cores"),
    ]
    assert lines[0]["error"] == 'no, "really"\nnot'
    assert (lines[2]["actors"], lines[2]["speed_up"], lines[1]["accuracy"]) == ("2", "1.5", "0.9")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "comparison.csv", "comparison.png"]


def test_a_run_that_failed_after_training_is_not_compared(tmp_path: Path, write_run: WriteRun) -> None:
    run = write_run("0", ["actors=1"], status="interrupted")
    assert json.loads((run / "summary.json").read_text())["arms"]
    (row,) = write_sweep(tmp_path)
    assert row.main is None
    assert not (tmp_path / "comparison.png").exists()


def test_no_option_of_a_run_shares_its_column_with_a_result() -> None:
    overrides = {field.name: "0" for field in fields(Config)}
    header = comparison_csv([SweepRow("0", "failed", overrides=overrides)]).splitlines()[0].split(",")
    assert len(header) == len(set(header))


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|x", "@SUM(1)", "-2+3", "\t=1", "\r=1", "\x1b]0;x\x07", " =1", "\uff1d1"]
)
def test_no_cell_of_a_sweep_is_a_formula_or_speaks_to_a_terminal(text: str) -> None:
    row = SweepRow(text, "failed", error=text, overrides={"note": text, text: "1"})
    header, record = csv.reader(io.StringIO(comparison_csv([row]), newline=""))
    assert len(header) == len(record) > 2
    for cell in (*header, *record):
        assert not cell.lstrip().startswith(("=", "+", "@", "-", "\uff1d"))
        assert all(character >= " " or character in "\t\n" for character in cell)


def test_numbers_below_zero_stay_numbers_in_the_files_of_a_sweep() -> None:
    (_, record) = csv.reader(io.StringIO(comparison_csv([SweepRow("0", "failed", overrides={"x": "-1e-3"})])))
    assert "-1e-3" in record


def completed(
    number: int, accuracy: float | None = 0.9, speed_up: float | None = 1.5, **keys: object
) -> SweepRow:
    arms = (Arm("federated", accuracy, 0.1, 2.0), Arm("sequential, 1 thread", 0.9, 0.1, 3.0, speed_up))
    return SweepRow(str(number), "completed", None, {key: str(value) for key, value in keys.items()}, arms)


SWEEPS = {
    "one": [completed(0, actors=4)],
    "many values": [completed(n, 0.9, actors=n) for n in range(1, 33)],
    "lines": [
        completed(n, actors=a, partition=p)
        for n, (a, p) in enumerate(product((1, 2, 4, 8), ("iid", "shards")))
    ],
    "lines over seeds": [
        completed(n, 0.8 + seed / 50, alpha=alpha, seed=seed)
        for n, (alpha, seed) in enumerate(product((0.1, 1, 10), (0, 1)))
    ],
    "only seeds": [completed(n, 0.8 + n / 50, seed=n) for n in range(3)],
    "names": [completed(n, 0.5 + n / 40, partition=f"partition_{n}", seed=0) for n in range(16)],
    "long names": [completed(n, 0.9, a=f"{n} {'long ' * 10}", b=n % 2, c=n % 3) for n in range(12)],
    "very many": [completed(n, 0.9, kind=f"kind {n}") for n in range(150)],
    "regression": [completed(n, None, None, actors=n + 1) for n in range(4)],
    "diverged": [completed(n, math.nan, math.nan, model=f"m{n}") for n in range(2)],
    "failures": [
        completed(0, model="a"),
        SweepRow("1", "failed"),
        SweepRow("2", "unreadable"),
    ],
}


@pytest.mark.parametrize("rows", SWEEPS.values(), ids=SWEEPS.keys())
def test_sweeps_are_drawn(tmp_path: Path, rows: list[SweepRow]) -> None:
    sweep_figure(rows, tmp_path / "comparison.png")
    assert_drawn(tmp_path / "comparison.png")
