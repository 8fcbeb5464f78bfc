"""Who waits is told how many rows are done, who does not is told nothing."""

import sys

import pytest

from fedlocal.cli import predict_progress as progress
from fedlocal.cli.predict_progress import PredictProgress

Capture = pytest.CaptureFixture[str]


def test_a_quick_prediction_shows_no_progress(capsys: Capture) -> None:
    with PredictProgress(10) as show:
        for done in range(10):
            show(done)
    assert capsys.readouterr() == ("", "")


def test_a_long_prediction_shows_a_line_now_and_then(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    with PredictProgress(10) as show:
        show(3)
        show(7)
    assert capsys.readouterr() == ("", "3 of 10 rows\n7 of 10 rows\n")


def test_a_terminal_gets_a_bar(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with PredictProgress(10) as show:
        show(3)
        show(7)
    assert "7/10" in capsys.readouterr().err
