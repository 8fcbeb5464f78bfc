"""A run's folder has one writer."""

import subprocess
import sys
from pathlib import Path

import pytest

from fedlocal.results import FolderInUseError, ResultsError, locked_folder

HOLDER = """
import sys
from pathlib import Path
from fedlocal.results import locked_folder
with locked_folder(Path(sys.argv[1])):
"""


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    in_use = pytest.raises(FolderInUseError, match=str(tmp_path))
    with locked_folder(tmp_path), in_use, locked_folder(tmp_path):
        pytest.fail("it has two")
    with locked_folder(tmp_path):
        pass


def test_an_owner_that_is_killed_owns_nothing(tmp_path: Path) -> None:
    code = HOLDER + "    print('mine', flush=True); sys.stdin.read()"
    line = [sys.executable, "-c", code, str(tmp_path)]
    holder = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout
        assert holder.stdout.readline().strip() == b"mine"
        with pytest.raises(FolderInUseError), locked_folder(tmp_path):
            pass
        holder.kill()
    with locked_folder(tmp_path):
        pass


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_path_that_is_no_folder_is_a_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match="results cannot be written to"), locked_folder(tmp_path / name):
        pass
