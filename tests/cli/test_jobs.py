"""What Hydra has the command do."""

import logging
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from fedlocal.cli.jobs import LogFile
from fedlocal.config.compose import conf_folder


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_a_log_on_a_full_disk_is_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    log = LogFile("/dev/full")
    for _ in range(3):
        log.handle(logging.LogRecord("fedlocal", logging.WARNING, "", 0, "news", None, None))
    log.close()
    errors = capsys.readouterr().err
    assert errors.count("nothing more is written to /dev/full: [Errno 28]") == 1
    assert "Traceback" not in errors


def test_a_log_whose_folder_is_gone_is_reported_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = LogFile(tmp_path / "gone" / "log", delay=True)
    for _ in range(3):
        log.handle(logging.LogRecord("fedlocal", logging.WARNING, "", 0, "news", None, None))
    log.close()
    assert capsys.readouterr().err.count("nothing more is written") == 1


def test_a_sweep_goes_on_in_folders_named_by_its_options() -> None:
    asked = ["actors=2", "seed=1"]
    unrelated = ["sweep.resume=true", "sweep.baseline=each", "display=off", "objective=loss"]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        names = [
            compose("config", overrides=words, return_hydra_config=True).hydra.job.override_dirname
            for words in (asked, asked + unrelated)
        ]
    assert names == ["actors=2,seed=1"] * 2
