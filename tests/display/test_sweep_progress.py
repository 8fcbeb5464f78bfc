"""What people see while a sweep goes on."""

import io
from typing import Any

import pytest

from fedlocal.display.progress import progress
from fedlocal.display.sweep_progress import sweep_progress
from fedlocal.results import Arm, Round, SweepRow

DONE = SweepRow(
    "0",
    "completed",
    overrides={"actors": "2", "rounds": "3"},
    arms=(Arm("federated", 0.9, 0.1, 2.0), Arm("sequential, 1 thread", 0.9, 0.1, 3.0, 1.5, reused="4")),
)
FAILED = SweepRow("1", "failed", "ValueError: [no]\nmore", {"actors": "4", "rounds": "3"})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def sweep(stream: io.StringIO, mode: Any = "auto") -> None:
    with sweep_progress(2, ["actors"], mode, stream) as show:
        for row in (DONE, FAILED):
            show.started(row.run, row.overrides)
            with progress(3, "federated", mode, stream) as show_round:
                show_round(Round(3, metrics={"loss": 0.5}))
            show.done(row)


def test_lines_say_which_run_is_next_and_how_it_went() -> None:
    stream = io.StringIO()
    sweep(stream)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "run 0 (1 of 2)  actors=2"
    assert lines[1].startswith("federated  round 3/3")
    assert lines[2] == ("run 0  actors=2  accuracy 0.9000  training 2.00 s  ~1.50x over sequential, 1 thread")
    assert lines[3] == "run 1 (2 of 2)  actors=4"
    assert lines[5] == "run 1  actors=4  failed: ValueError: [no]"


def test_the_line_of_a_run_without_an_accuracy_shows_the_loss() -> None:
    stream = io.StringIO()
    with sweep_progress(None, stream=stream) as show:
        show.started("0", {"a": "1"})
        show.done(SweepRow("0", "completed", overrides={"a": "1"}, arms=(Arm("federated", None, 0.25, 1.0),)))
    assert stream.getvalue().splitlines() == ["run 0 (1)  a=1", "run 0  a=1  loss 0.2500  training 1.00 s"]


def test_the_mode_off_writes_nothing() -> None:
    stream = Terminal()
    sweep(stream, "off")
    assert stream.getvalue() == ""


def test_a_terminal_gets_the_bars_of_the_sweep_and_of_the_run_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    sweep(stream)
    text = stream.getvalue()
    assert "sweep" in text
    assert "run 0 actors=2" in text
    assert text.count("~1.50x over sequential, 1 thread") == 1  # above the bars, for good
    assert "failed: ValueError: [no]" in text
    with progress(1, "alone", stream=Terminal()) as show:  # the terminal is free again
        show(Round(1))
