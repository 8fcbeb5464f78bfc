"""The fault study: its judge, its nemesis, its table, and its smallest form."""

import json
import mmap
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.actors.faults.trial import until

STUDY = Path(__file__).parents[2] / "experiments" / "faults"
MODULES = ("arms", "figures", "judge", "nemesis", "processes", "rows")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the nemesis finds its victims in /proc"),
]


@pytest.fixture
def study() -> dict[str, Any]:
    """Return the study's modules by name."""
    return {name: import_module(f"experiments.faults.{name}") for name in MODULES}


POSTED = [{"event": "posted", "message": number, "actor": number} for number in (1, 2)]
REPLIED = [{"event": "replied", "message": number} for number in (1, 2)]
CLOSED = [{"event": "closed", "waiting": 0}]


def evidence(study: dict[str, Any], folder: Path, events: list[dict[str, Any]], **changed: Any) -> Any:
    """Return the evidence of a run that came to the right hash, with these events in its journal."""
    journal = folder / "journal.jsonl"
    lines = [{"event": "opened", "time": 0.0, "version": 1}, *events]
    journal.write_text("".join(json.dumps({"at": 0.0, **line}) + "\n" for line in lines))
    fields = {
        "code": 0,
        "seconds": 1.0,
        "tried": Counter(kill=3),
        "report": {"hash": "a"},
        "journal": journal,
    }
    return study["judge"].Evidence(**(fields | changed))


FAILED = [{"event": "failed", "message": 2, "cause": "crash", "reason": ""}]


@pytest.mark.parametrize(
    ("events", "changed", "expected"),
    [
        (POSTED + REPLIED + CLOSED, {}, "equal"),
        (POSTED + REPLIED + CLOSED, {"report": {"hash": "b"}}, "differs"),
        (POSTED + REPLIED[:1] + CLOSED, {}, "unsound"),  # one lost
        (POSTED + REPLIED + REPLIED[:1] + CLOSED, {}, "unsound"),  # one twice
        (POSTED + REPLIED + [{"event": "replied", "message": 3}] + CLOSED, {}, "unsound"),  # one too many
        (POSTED + REPLIED[:1] + FAILED + CLOSED, {"report": {"hash": "b"}}, "error"),
        (POSTED + REPLIED + CLOSED, {"code": 1, "report": {}}, "failed"),
        (POSTED, {"code": None, "report": {}}, "hang"),
        ([], {"journal": None}, "failed"),
    ],
)
def test_the_judge_tells_how_a_run_ended(
    study: dict[str, Any],
    tmp_path: Path,
    events: list[dict[str, Any]],
    changed: dict[str, Any],
    expected: str,
) -> None:
    judge, given = study["judge"], evidence(study, tmp_path, events, **changed)
    assert judge.outcome(given, judge.audit_of(given), twin="a") == expected
    assert expected in judge.OUTCOMES


def test_the_judge_sees_what_was_left_behind(study: dict[str, Any], tmp_path: Path) -> None:
    report = {"hash": "a", "before": {"fds": 6, "threads": 1}, "after": {"fds": 8, "threads": 1}}
    left = {"processes": 1, "temporary files": 0}
    given = evidence(study, tmp_path, POSTED, report=report, left=left)
    assert given.leaks == {"processes": 1, "fds": 2}


def test_a_recovery_is_told_with_the_death_that_began_it(study: dict[str, Any], tmp_path: Path) -> None:
    events = [
        {"event": "died", "worker": 0, "generation": 1, "cause": "killed", "reason": ""},
        {"event": "died", "worker": 1, "generation": 2, "cause": "deadline", "reason": ""},
        {"event": "died", "worker": 0, "generation": 3, "cause": "lost", "reason": ""},
        {"event": "restarted", "worker": 1, "generation": 4, "seconds": 0.5},
        {"event": "restarted", "worker": 0, "generation": 5, "seconds": 0.25},
    ]
    given = evidence(study, tmp_path, events)
    assert study["judge"].recoveries(given.journal) == [("deadline", 0.5), ("killed", 0.25)]


def row(study: dict[str, Any], seed: int, **changed: Any) -> Any:
    values = {
        "system": "fedlocal",
        "training": "client state",
        "menace": "outside",
        "seed": seed,
        "outcome": "equal",
        "seconds": 2.0,
        "calm": 1.0,
        "tried": 10,
        "faults": "kill 10",
        "posted": 200,
        "replied": 200,
        "failed": 0,
        "lost": 0,
        "duplicated": 0,
        "unexpected": 0,
        "retried": 7,
        "leaks": "",
        "hash": "a",
        "twin": "a",
    }
    return study["rows"].Row(**(values | changed))


def test_the_table_counts_runs_with_errors_apart(study: dict[str, Any], tmp_path: Path) -> None:
    rows = study["rows"]
    written = [
        row(study, 0),
        row(study, 1, outcome="error", faults="kill 8, crash 2"),
        row(study, 2, outcome="unsound", lost=1),
    ]
    for entry in written:
        rows.append(tmp_path / "results.csv", [entry])
    rows.append(tmp_path / "recoveries.csv", [rows.Recovery(*written[0].arm, 0, "killed", 0.5)])
    read, recovered = rows.trials(tmp_path / "results.csv"), rows.recoveries(tmp_path / "recoveries.csv")
    assert [row.outcome for row in read] == ["equal", "error", "unsound"]
    assert read[0].retried == 7
    assert not row(study, 3, outcome="error").survived  # a kill is nobody's fault
    line = rows.as_markdown(read, recovered).splitlines()[2]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == [
        *(
            "fedlocal",
            "client state",
            "outside",
            "3",
            "20 / 30",
            "600 / 600",
            "1",
            "0",
            "0",
            "1/2",
            "1",
            "21",
        ),
        *("0.50, 0.50", "0"),
    ]


def test_the_figure_shows_the_recoveries(study: dict[str, Any], tmp_path: Path) -> None:
    recoveries = [study["rows"].Recovery("a", "b", "c", 0, "killed", 0.1 * number) for number in range(1, 9)]
    assert study["figures"].draw(recoveries, tmp_path / "recovery.png")
    assert (tmp_path / "recovery.png").stat().st_size > 10_000
    assert not study["figures"].draw([], tmp_path / "none.png")


def test_the_nemesis_hits_the_processes_of_its_run_alone(study: dict[str, Any]) -> None:
    processes, nemesis = study["processes"], study["nemesis"]
    ours, theirs = f"ours-{os.getpid()}", f"others-{os.getpid()}"
    sleep = [sys.executable, "-c", "import time; print(flush=True); time.sleep(3600)"]
    marked = {**os.environ, processes.MARK: ours}
    prey, bystander = (
        subprocess.Popen(sleep, env=environment, stdout=subprocess.PIPE)
        for environment in (marked, {**os.environ, processes.MARK: theirs})
    )
    for process in (prey, bystander):
        assert process.stdout is not None
        process.stdout.readline()  # it runs, under its own environment
    menace = nemesis.Menace("kills", {"kill": 1}, pause=(0.001, 0.002))
    hunter = nemesis.Nemesis(
        menace,
        nemesis.Prey(ours, workers=list, origin=list, has_begun=lambda: True, is_over=lambda: False),
        seed=0,
    )
    hunter.start()
    try:
        assert prey.wait(300) == -signal.SIGKILL
        hunter.end()
        assert hunter.tried["kill"] >= 1
        assert bystander.poll() is None
        assert [process.pid for process in processes.of_run(theirs)] == [bystander.pid]
        (other,) = processes.of_run(theirs)
        assert not processes.strike(other, signal.SIGKILL, ours)
    finally:
        for process in (prey, bystander):
            process.kill()
            process.communicate()
    assert processes.left_over(theirs, 0.0) == []


def test_files_in_shared_memory_that_other_processes_use_are_not_left_of_a_run(
    study: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "before").touch()
    before = set(tmp_path.iterdir())
    (tmp_path / "left").touch()
    for name in ("mapped", "open"):
        (tmp_path / name).write_bytes(b"used")
    with (tmp_path / "mapped").open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    with mapped, (tmp_path / "open").open("rb"):
        assert study["processes"].abandoned(tmp_path, before) == {tmp_path / "left"}


@pytest.mark.slow
def test_the_smallest_form_of_the_study_confirms_the_promises(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.faults", "--quick", "--folder", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=1200, check=False, cwd=STUDY.parents[1]
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "client state, outside, seed 0: equal" in done.stdout
    assert (tmp_path / "recovery.png").exists()
    assert "client state" in (tmp_path / "results.md").read_text()


@pytest.mark.slow
def test_an_interrupt_ends_the_study_even_if_a_shell_had_it_ignored(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "experiments.faults", "--quick", "--folder", str(tmp_path)]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which a child inherits
    try:
        study = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, cwd=STUDY.parents[1])
    finally:
        signal.signal(signal.SIGINT, before)
    with study:
        assert until((tmp_path / "environment.json").exists, 300)
        study.send_signal(signal.SIGINT)
        assert "the same command goes on from here" in study.communicate(timeout=300)[1]
    assert study.returncode == 130


def test_the_catalogue_names_tests_that_are_there() -> None:
    """Of each row the number, and of each test named the file, or functions that begin with the name."""
    root = STUDY.parents[1]
    lines = (STUDY / "catalogue.md").read_text().splitlines()
    rows = [line.split("|") for line in lines if re.match(r"\| \d", line)]
    numbers = [int(number) for row in rows for number in re.findall(r"\d+", row[1].replace("to", ","))]
    assert {*numbers, *range(32, 37)} == set(range(1, 62))
    engine = "".join(path.read_text() for path in (root / "tests/actors/faults").glob("test_*.py"))
    for row in rows:
        named = re.findall(r"`([^`]+)`", row[4])
        assert named, row
        for name in named:
            begins = f"def {name.removesuffix('…')}"
            assert (root / name).exists() or begins in engine, f"{row[1].strip()}: {name}"
