"""Both kinds of install find the configuration and run."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RUN = ["experiment=debug", "rounds=1", "dataset=synthetic", "dataset.train=50", "dataset.test=10"]
PROGRAM = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from fedlocal.cli.main import main
from fedlocal.config.compose import conf_folder
print(conf_folder())
main()
"""


def python(*arguments: str, cwd: Path) -> str:
    line = [sys.executable, *arguments]
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_editable_install_reads_the_checkouts_groups(tmp_path: Path) -> None:
    where = python(
        "-c", "from fedlocal.config.compose import conf_folder; print(conf_folder())", cwd=tmp_path
    )
    assert Path(where.strip()) == ROOT / "conf"  # test_cli runs it


def test_a_wheel_carries_its_groups(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    python("-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels), cwd=ROOT)
    (wheel,) = wheels.glob("fedlocal-*.whl")
    with zipfile.ZipFile(wheel) as archive:  # a pure one is installed by that
        archive.extractall(site)
    where, *printed = python("-c", PROGRAM, str(site), *RUN, cwd=tmp_path).splitlines()
    assert Path(where) == site / "fedlocal" / "conf"
    assert (site / "fedlocal" / "conf" / "config.yaml").is_file()
    assert "weights" in " ".join(printed)
    *_, page = python("-c", PROGRAM, str(site), "report", "outputs", cwd=tmp_path).splitlines()
    assert "</html>" in Path(page).read_text()  # its template, style sheet and script came along
