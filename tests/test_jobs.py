"""What Hydra has the command do."""

import logging
import sys
from pathlib import Path

import pytest

from fedlocal.jobs import LogFile


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_a_log_on_a_full_disk_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    log = LogFile("/dev/full")
    for _ in range(3):
        log.handle(logging.LogRecord("fedlocal", logging.WARNING, "", 0, "news", None, None))
    log.close()
    errors = capsys.readouterr().err
    assert errors.count("nothing more is written to /dev/full: [Errno 28]") == 1
    assert "Traceback" not in errors


def test_a_log_whose_folder_is_gone_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = LogFile(tmp_path / "gone" / "log", delay=True)
    for _ in range(3):
        log.handle(logging.LogRecord("fedlocal", logging.WARNING, "", 0, "news", None, None))
    log.close()
    assert capsys.readouterr().err.count("nothing more is written") == 1
