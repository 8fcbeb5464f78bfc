"""What is written beside a run: in order, the newest of each kind, and never the run's end."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fedlocal.results import BackgroundWriter, ResultsError


def writes(log: list[str], what: str, gate: threading.Event | None = None) -> Callable[[], None]:
    def write() -> None:
        if gate:
            gate.wait(60)
        log.append(what)

    return write


def test_the_newest_file_of_each_kind_is_written_in_the_order_of_the_requests() -> None:
    log: list[str] = []
    gate = threading.Event()
    with BackgroundWriter() as background:
        background.write_soon("other", 0, writes(log, "begun", gate))  # the others wait for it
        background.write_soon("checkpoint", 1, writes(log, "checkpoint 1"))
        background.write_soon("best", 2, writes(log, "best 2"))
        background.write_soon("checkpoint", 2, writes(log, "checkpoint 2"))
        gate.set()
    assert log[-2:] == ["best 2", "checkpoint 2"]
    assert "checkpoint 1" not in log[1:]


def test_an_idle_background_writes_nothing_before_the_end() -> None:
    log: list[str] = []
    written = threading.Event()
    with BackgroundWriter(idle=True) as background:
        background.write_soon("best", 1, writes(log, "one"))
        background.write_soon("best", 2, writes(log, "two"))
        background.write_soon("checkpoint", 2, written.set)
        assert not written.wait(0.05)
        assert not log
    assert log == ["two"]


def test_a_failure_is_reported_once_for_each_kind_and_the_rest_is_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise ResultsError("the disk is full")

    log: list[str] = []
    with BackgroundWriter() as background:
        for number in (1, 2):
            background._write("best model", number, fail)
        background.write_soon("checkpoint", 3, writes(log, "three"))
    assert log == ["three"]
    assert caplog.messages == ["no best model of round 1: the disk is full; the run goes on"]


def test_the_thread_of_a_background_ends_with_it(tmp_path: Path) -> None:
    with BackgroundWriter() as background:
        assert background._thread.is_alive()
    background.close()
    assert not background._thread.is_alive()
