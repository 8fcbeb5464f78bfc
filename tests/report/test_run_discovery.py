import os
from pathlib import Path

import pytest

from fedlocal.report.run_discovery import find_runs
from fedlocal.results import ResultsError


def made(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_runs_are_found_in_a_run_a_sweep_and_a_folder_of_both(tmp_path: Path) -> None:
    made(
        tmp_path,
        "outputs/day/time/metrics.csv",
        "sweep/10/config.yaml",
        "sweep/9/summary.json",
        "sweep/x/y.png",
    )
    made(tmp_path, "sweep/9/sequential-1-thread/metrics.csv", "sweep/.hydra/config.yaml")
    assert list(find_runs([tmp_path / "outputs" / "day" / "time"])) == ["time"]
    assert list(find_runs([tmp_path / "sweep"])) == ["9", "10"]
    assert list(find_runs([tmp_path])) == ["outputs/day/time", "sweep/9", "sweep/10"]


def test_runs_of_several_folders_are_told_apart_and_counted_once(tmp_path: Path) -> None:
    made(tmp_path, "a/s/0/summary.json", "b/s/0/summary.json")
    runs = find_runs([tmp_path / "a" / "s", tmp_path / "b" / "s", tmp_path / "a" / "s" / "0"])
    assert set(runs.values()) == {(tmp_path / name / "s" / "0").resolve() for name in "ab"}
    assert set(runs) == {"s/0", str((tmp_path / "b" / "s" / "0").resolve())}


def test_an_empty_numbered_folder_beside_runs_is_a_run_that_never_began(tmp_path: Path) -> None:
    made(tmp_path, "0/summary.json", "1/nothing")
    assert list(find_runs([tmp_path])) == ["0", "1"]


def test_folders_named_after_years_are_searched(tmp_path: Path) -> None:
    made(tmp_path, "2026/11/run/summary.json")
    assert list(find_runs([tmp_path])) == ["2026/11/run"]


def test_a_folder_that_cannot_be_read_leaves_the_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made(tmp_path, "a/run/summary.json", "closed/run/summary.json")
    scandir = os.scandir

    def refusing(folder: Path) -> "os._ScandirIterator[str]":  # root may read everywhere
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert list(find_runs([tmp_path])) == ["a/run"]
    assert "closed is left out: Permission denied" in caplog.text


@pytest.mark.parametrize(
    ("name", "reason"), [("gone", "no such folder"), ("file", "not a folder"), ("empty", "no run")]
)
def test_a_path_that_is_no_folder_of_runs_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultsError, match=f"{name}: .*{reason}"):
        find_runs([tmp_path / name])
