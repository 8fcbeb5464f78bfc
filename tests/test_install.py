"""Both kinds of install find the configuration and run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RUN = [
    "-m",
    "fedlocal",
    "experiment=debug",
    "rounds=1",
    "dataset=synthetic",
    "dataset.train=50",
    "dataset.test=10",
]


def python(*arguments: str, cwd: Path) -> str:
    line = [sys.executable, *arguments]
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_editable_install_reads_the_checkouts_groups(tmp_path: Path) -> None:
    where = python("-c", "from fedlocal.config import folder; print(folder())", cwd=tmp_path)
    assert Path(where.strip()) == ROOT / "conf"
    assert "weights" in python(*RUN, cwd=tmp_path)


def test_a_wheel_carries_its_groups(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    pip = ["-m", "pip", "--disable-pip-version-check", "-q"]
    python(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(ROOT), cwd=tmp_path)
    (wheel,) = wheels.glob("fedlocal-*.whl")
    python(*pip, "install", "--no-deps", "--target", str(site), str(wheel), cwd=tmp_path)
    assert (site / "fedlocal" / "conf" / "config.yaml").is_file()
    start = f"import sys; sys.path.insert(0, {str(site)!r}); "
    where = python("-c", start + "import fedlocal.config as c; print(c.folder())", cwd=tmp_path)
    assert Path(where.strip()) == site / "fedlocal" / "conf"
    arguments = f"sys.argv = {['fedlocal', *RUN[2:]]!r}; "
    assert "weights" in python(
        "-c", start + arguments + "from fedlocal.cli import main; main()", cwd=tmp_path
    )
