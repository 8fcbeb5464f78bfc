"""What the README and `--help` tell people to type is valid, and what they tell of Python runs."""

import doctest
import re
from pathlib import Path

import pytest

from fedlocal.config import check, compose, folder

FILE = Path(__file__).parent.parent / "README.md"
README = FILE.read_text()
HELP = (folder() / "hydra" / "help" / "fedlocal.yaml").read_text()


def commands(text: str) -> list[str]:
    """Find the lines that call fedlocal with options."""
    lines = re.findall(r"^ *fedlocal((?: +(?:-m|'[^']+'|[\w.]+=\S+))+)", text, flags=re.MULTILINE)
    return [line.strip() for line in lines if not line.strip().startswith("resume=")]  # no configuration


@pytest.mark.parametrize("command", sorted({*commands(README), *commands(HELP)}))
def test_every_command_that_is_taught_is_valid(command: str) -> None:
    words = [word.strip("'") for word in command.split() if word != "-m"]
    first = [re.sub(r"=([\w.]+),.*", r"=\1", word) for word in words]  # of a sweep, its first run
    check(compose(*first))


def test_there_are_commands_to_check() -> None:
    assert len(commands(README)) > 10
    assert len(commands(HELP)) > 5


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(example, {})  # noqa: S102
    accuracy, _, weights = capsys.readouterr().out.split("\n")[0].partition(" ")
    assert float(accuracy) > 0.5
    assert len(weights) == 64


def test_the_session_with_actors_goes_as_it_says() -> None:
    failed, tried = doctest.testfile(str(FILE), module_relative=False)
    assert tried > 3
    assert not failed
