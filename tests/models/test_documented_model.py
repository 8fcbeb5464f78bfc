"""The user's model in docs/models.md trains as the page says."""

import re
import sys
from pathlib import Path

import pytest

from fedlocal import compose, run

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
pytestmark = pytest.mark.extras


def test_the_model_of_the_documentation_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="extras: needs PyTorch (pip install torch)")
    section = PAGE.partition("## Bring your own model")[2].partition("\n## ")[0]
    (program,) = re.findall(r"```py\n# mine.py\n(.*?)```", section, flags=re.DOTALL)
    commands = re.findall(r"^fedlocal (model=torch .*?)(?: +#.*)?$", section, flags=re.MULTILINE)
    assert len([line for line in program.splitlines() if line]) <= 15
    assert len(commands) >= 2
    (tmp_path / "mine.py").write_text(program)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    for command in commands:
        config = compose(*command.split(), "rounds=2", "baseline=false", "backend=inline", "display=off")
        accuracy = run(config).arms[0].accuracy
        assert accuracy is not None
        assert accuracy > 0.3
