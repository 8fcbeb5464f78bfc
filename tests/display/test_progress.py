import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from fedlocal.display.progress import announce, progress
from fedlocal.results import Round


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """A terminal whose reader has left."""

    def isatty(self) -> bool:
        return True

    attempts = 0

    def write(self, _: str) -> int:
        self.attempts += 1
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def rounds(numbers: Sequence[int]) -> list[Round]:
    return [Round(number, metrics={"loss": 1 / (number + 1), "accuracy": number / 100}) for number in numbers]


def test_plain_lines_are_few_and_hold_the_first_and_the_last() -> None:
    stream = io.StringIO()
    with progress(100, "federated", "plain", stream) as show:
        for round_ in rounds(range(101)):
            show(round_)
    lines = stream.getvalue().splitlines()
    assert 10 <= len(lines) <= 12
    assert lines[0] == "federated  round 0/100  loss 1.0000  accuracy 0.0000"
    assert lines[-1].startswith("federated  round 100/100  loss 0.0099  accuracy 1.0000  took ")
    assert "left" in lines[1]


@pytest.mark.parametrize("total", [1, 2, 7, 20])
def test_short_runs_show_each_round_once_at_most(total: int) -> None:
    stream = io.StringIO()
    with progress(total, "x", "plain", stream) as show:
        for round_ in rounds(range(1, total + 1)):
            show(round_)
    shown = [line.split()[2] for line in stream.getvalue().splitlines()]
    assert shown[0] == f"1/{total}"
    assert shown[-1] == f"{total}/{total}"
    assert len(shown) == len(set(shown))


def test_the_mode_auto_is_plain_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with progress(1, "federated", stream=stream) as show:
        show(Round(1, metrics={"train-loss": 0.5}))
    assert stream.getvalue().startswith("federated  round 1/1  train-loss 0.5000  took ")
    assert "\x1b" not in stream.getvalue()


def test_the_mode_off_writes_nothing() -> None:
    stream = Terminal()
    with progress(1, "federated", "off", stream) as show:
        show(Round(1))
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "90")
    stream = Terminal()
    with progress(4, "federated [a]", stream=stream) as show:
        for round_ in [*rounds([0, 2]), Round(3), *rounds([4])]:
            show(round_)
    text = stream.getvalue()
    assert "federated [a]" in text
    assert "4/4" in text
    assert "loss 0.2000 accuracy 0.0400" in text
    assert "left" in text


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    with progress(1, "federated", stream=stream) as show:
        show(Round(1))
    assert stream.getvalue().startswith("federated  round 1/1  took ")


@pytest.mark.parametrize("mode", ["auto", "plain"])
def test_a_reader_that_leaves_does_not_end_the_run(mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Gone()
    with progress(3, "federated", mode, stream) as show:
        for round_ in rounds([1, 2, 3]):
            show(round_)
    assert stream.attempts == 1  # silent from then on


@pytest.mark.parametrize("mode", ["auto", "plain"])
def test_a_closed_or_absent_stream_does_not_end_the_run(mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    with progress(1, "federated", mode, closed) as show:
        show(Round(1))
    monkeypatch.setattr(sys, "stderr", None)
    with progress(1, "federated", mode) as show:
        show(Round(1))


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(1, "federated", "plain") as show:
        show(Round(1))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("federated  round 1/1  took ")


def test_an_unknown_mode_is_refused() -> None:
    wrong: Any = "loud"
    with (
        pytest.raises(ValueError, match="'loud' is not known: choose auto, plain or off"),
        progress(1, "x", wrong),
    ):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_log_lines_to_the_terminal_stand_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    reader, writer = os.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(sys, "__stderr__", terminal)
        handler = logging.StreamHandler(terminal)
        logging.getLogger().addHandler(handler)
        try:
            with progress(2, "federated") as show:
                show(Round(1))
                during = handler.stream
                logging.getLogger("x").warning("client 3 failed")
                show(Round(2))
        finally:
            logging.getLogger().removeHandler(handler)
        assert handler.stream is terminal
        assert during is not terminal
        print("the end", file=terminal, end="", flush=True)
        written = b""
        while not written.endswith(b"the end"):  # it comes in as many reads as the system likes
            written += os.read(reader, 1 << 16)
    os.close(reader)
    assert b"client 3 failed" in written


def test_a_line_about_the_whole_run_is_shown_where_rounds_are() -> None:
    stream = io.StringIO()
    announce("said", "plain", stream)
    announce("unsaid", "off", stream)
    assert stream.getvalue() == "said\n"
    announce("nobody listens", "auto", Gone())
