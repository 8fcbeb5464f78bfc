"""Schemes without clients import no Flower, in no process: neither its seconds nor its memory are theirs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fedlocal.config.compose import compose
from fedlocal.config.schema import ConfigError
from fedlocal.config.validation import check

NOTED = """
import os
from pathlib import Path

Path(os.environ["IMPORTED"]).touch()
raise ImportError("no Flower here")
"""


def run(folder: Path, *options: str) -> tuple[int, bool]:
    """Run an experiment without Flower; return its code, and whether any process tried to import it."""
    (folder / "path" / "flwr").mkdir(parents=True)
    (folder / "path" / "flwr" / "__init__.py").write_text(NOTED)
    (folder / "run").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(folder / "path"), "IMPORTED": str(folder / "imported")}
    line = [sys.executable, "-m", "fedlocal", "rounds=1", "display=off", "hydra.run.dir=results", *options]
    done = subprocess.run(line, cwd=folder / "run", env=environment, check=False)
    return done.returncode, (folder / "imported").exists()


@pytest.mark.parametrize("scheme", ["sequential", "batch_parallel", "pipeline"])
def test_a_scheme_without_clients_imports_no_flower(tmp_path: Path, scheme: str) -> None:
    assert run(tmp_path, f"scheme={scheme}", "batch_size=256") == (0, False)


def test_a_federation_imports_flower(tmp_path: Path) -> None:
    assert run(tmp_path) == (1, True)


@pytest.mark.parametrize("scheme", ["sequential", "local"])
@pytest.mark.parametrize("wrong", ["+strategy.fraction=1", "strategy.fraction_train=2", "+client.name=a"])
def test_options_that_have_no_effect_are_checked_nevertheless(scheme: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong.strip("+").partition("=")[0]):
        check(compose(f"scheme={scheme}", wrong))
