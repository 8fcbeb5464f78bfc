import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from fedlocal.results import ResultsError, write_json
from fedlocal.results.atomic_files import replacing


def test_a_block_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail_half_way() -> None:
        with replacing(path) as stream:
            stream.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_changes_only_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as stream:
        stream.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_other_users_may_read_results_as_the_umask_says(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_json(tmp_path / "ours", {})
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in ("missing", "file"):
        with pytest.raises(ResultsError, match="cannot write"):
            write_json(tmp_path / folder / "x.json", {})


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ResultsError, match="Permission denied"):
        write_json(tmp_path / "x.json", {})


def test_json_is_strict_and_knows_numpy(tmp_path: Path) -> None:
    value = {
        "nan": float("nan"),
        "inf": [-np.inf, np.float32("inf")],
        "numpy": (np.int64(3), np.float32(0.5), np.bool_(True), np.arange(3)),
        "path": Path("here"),
        "none": None,
        7: "é",
    }
    write_json(tmp_path / "x.json", value)
    read = json.loads((tmp_path / "x.json").read_bytes(), parse_constant=pytest.fail)
    assert read == {
        "nan": "nan",
        "inf": ["-inf", "inf"],
        "numpy": [3, 0.5, True, [0, 1, 2]],
        "path": "here",
        "none": None,
        "7": "é",
    }


def test_a_value_that_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"\(set\) cannot be written"):
        write_json(tmp_path / "x.json", {"a": {1}})
    assert list(tmp_path.iterdir()) == []
