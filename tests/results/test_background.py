"""What is written beside a run: in order, the newest of each kind, and never the run's end."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fedlocal.results import Background, ResultsError


def writes(log: list[str], what: str, gate: threading.Event | None = None) -> Callable[[], None]:
    def write() -> None:
        if gate:
            gate.wait(60)
        log.append(what)

    return write


def test_of_each_kind_the_newest_is_written_and_what_was_told_last_comes_last() -> None:
    log: list[str] = []
    gate = threading.Event()
    with Background() as background:
        background.soon("other", 0, writes(log, "begun", gate))  # the others wait for it
        background.soon("checkpoint", 1, writes(log, "checkpoint 1"))
        background.soon("best", 2, writes(log, "best 2"))
        background.soon("checkpoint", 2, writes(log, "checkpoint 2"))
        gate.set()
    assert log[-2:] == ["best 2", "checkpoint 2"]
    assert "checkpoint 1" not in log[1:]


def test_nothing_is_written_before_the_end_if_it_is_to_be_idle() -> None:
    log: list[str] = []
    written = threading.Event()
    with Background(idle=True) as background:
        background.soon("best", 1, writes(log, "one"))
        background.soon("best", 2, writes(log, "two"))
        background.soon("checkpoint", 2, written.set)
        assert not written.wait(0.05)
        assert not log
    assert log == ["two"]


def test_what_fails_is_told_once_of_each_kind_and_the_rest_is_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise ResultsError("the disk is full")

    log: list[str] = []
    with Background() as background:
        for number in (1, 2):
            background._write("best model", number, fail)
        background.soon("checkpoint", 3, writes(log, "three"))
    assert log == ["three"]
    assert caplog.messages == ["no best model of round 1: the disk is full; the run goes on"]


def test_its_thread_ends_with_it(tmp_path: Path) -> None:
    with Background() as background:
        assert background._thread.is_alive()
    background.close()
    assert not background._thread.is_alive()
