"""What the studies' pages say: their commands are understood, and their tables are those of their numbers."""

import re
import shlex
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from experiments import rows
from experiments.faults import rows as faults
from experiments.records import read
from experiments.runner import command_line
from tests.pages import GUIDES, ROOT, STUDY_PAGES

COMMANDS = sorted(
    {
        line
        for page in (*GUIDES, *STUDY_PAGES, *ROOT.glob("conf/experiment/*.yaml"))
        for line in re.findall(r"python -m experiments\.([^`#\n]+)", page.read_text())
        if not line.startswith("NAME")
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_study_understands_the_commands_that_pages_teach(command: str) -> None:
    name, *words = shlex.split(command)
    if "." in name:
        assert find_spec(f"experiments.{name}")
    else:
        command_line(import_module(f"experiments.{name}.__main__").STUDY, words)


@pytest.mark.parametrize("study", ["inference", "performance", "training_step"])
def test_the_table_of_a_benchmark_is_that_of_its_rows(study: str) -> None:
    home = ROOT / "experiments" / study
    assert rows.as_markdown(read(home / "results.csv", rows.Row)) == (home / "results.md").read_text()


def test_the_table_of_faults_is_that_of_its_trials() -> None:
    home = Path(faults.__file__).parent
    trials, recoveries = faults.trials(home / "results.csv"), faults.recoveries(home / "recoveries.csv")
    assert faults.as_markdown(trials, recoveries) == (home / "results.md").read_text()
