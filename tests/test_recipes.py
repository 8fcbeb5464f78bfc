"""The recipes of docs/extending.md work as they stand: their files in an empty folder, and their command."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import EXTENDING, blocks, files

RECIPES = dict(
    re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", EXTENDING.read_text(), flags=re.MULTILINE | re.DOTALL)
)
FEWER = ["rounds=3", "baseline=false", "display=off"]


def follow(recipe: str, folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """Do what a recipe says, in a folder."""
    for name, text in files(recipe).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (command,) = re.findall(r"^```sh\nfedlocal (.*?)\n```$", recipe, flags=re.MULTILINE | re.DOTALL)
    line = [sys.executable, "-m", "fedlocal", *command.split(), *more]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=600, check=False)


def test_the_six_recipes_exist() -> None:
    titles = ["The shortest", "A partition strategy", "A model", "A strategy", "A data set", "A scheme"]
    assert list(RECIPES) == titles
    assert [len(files(recipe)) for recipe in RECIPES.values()] == [1, 2, 2, 2, 2, 2]


@pytest.mark.slow
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_keeps_its_promise(title: str, tmp_path: Path) -> None:
    done = follow(RECIPES[title], tmp_path, *FEWER, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["status"] == "completed"
    assert summary["arms"][0]["accuracy"] > 0.7
    for option in files(RECIPES[title]).keys() - {"mine.py"}:
        assert option.startswith("groups/")
        assert "_target_: mine." in (tmp_path / option).read_text()
    assert "mine." in (tmp_path / "run" / "config.yaml").read_text()


@pytest.mark.slow
def test_a_strategy_around_another_is_configured_as_its_recipe_says(tmp_path: Path) -> None:
    (group,) = [block for block in blocks(EXTENDING, "yaml") if "DifferentialPrivacy" in block]
    (tmp_path / "groups/strategy").mkdir(parents=True)
    (tmp_path / "groups/strategy/private.yaml").write_text(group)
    wanted = ["strategy=private", "strategy.strategy.fraction_evaluate=1", "hydra.run.dir=run"]
    line = [sys.executable, "-m", "fedlocal", "--config-dir", "groups", *wanted, *FEWER]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert "client-loss" in (tmp_path / "run" / "metrics.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "reason"),
    [("partition.run=x", "must be of type int"), ("+partition.rnu=5", "no such parameter")],
)
def test_options_of_a_recipe_are_checked(override: str, reason: str, tmp_path: Path) -> None:
    done = follow(RECIPES["A partition strategy"], tmp_path, *FEWER, override)
    assert done.returncode == 1
    assert reason in done.stderr
