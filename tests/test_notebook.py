"""The notebook is as it was executed, from its first cell to its last, and executed anew it says the same.

To write it again: ``jupyter nbconvert --to notebook --execute --inplace docs/quickstart.ipynb``, then clear
the metadata that the tests name.
"""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "quickstart.ipynb"
NUMBER = re.compile(r"\b[01]\.\d{3,4}\b")  # an accuracy or a loss; times have fewer decimals
TOLERANCE = 0.03  # another machine's last bits may turn a few of 359 test rows


@pytest.fixture
def notebook() -> Any:
    if not FILE.is_file():
        pytest.skip("docs/ is not here")
    return json.loads(FILE.read_text(encoding="utf-8"))


def code_of(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def said(notebook: Any) -> list[str]:
    """Return what each code cell printed and returned, as text."""
    texts = []
    for cell in code_of(notebook):
        parts = [output.get("text") or output["data"]["text/plain"] for output in cell["outputs"]]
        texts.append("".join("".join(part) for part in parts))
    return texts


def test_the_notebook_was_executed_in_order_and_without_an_error(notebook: Any) -> None:
    assert notebook["nbformat"] == 4
    cells = code_of(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {(output["output_type"], output.get("name")) for cell in cells for output in cell["outputs"]}
    assert kinds <= {("stream", "stdout"), ("execute_result", None), ("display_data", None)}
    assert all(cell["outputs"] for cell in cells if not "".join(cell["source"]).startswith("import numpy"))


def test_the_notebook_says_nothing_of_the_machine_that_ran_it(notebook: Any) -> None:
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    assert not re.findall(r"(?:/home|/root|/tmp|/usr|/Users|[A-Z]:\\)", "".join(said(notebook)))
    assert FILE.stat().st_size < 150_000


def test_the_notebook_shows_the_table_and_the_curves_of_a_run(notebook: Any) -> None:
    page = "".join(code_of(notebook)[0]["outputs"][0]["data"]["text/html"])
    assert "<table>" in page
    assert 'aria-label="Learning curves. federated: accuracy' in page


@pytest.mark.extras
@pytest.mark.slow
def test_executed_anew_the_notebook_says_the_same(notebook: Any, tmp_path: Path, no_leaks: None) -> None:
    for library in ("nbclient", "ipykernel", "pandas"):
        if find_spec(library) is None:
            pytest.skip(f"{library} is not installed: pip install -e '.[test-extras]'")
    fresh = tmp_path / FILE.name
    unexecuted = json.loads(json.dumps(notebook))
    for cell in code_of(unexecuted):
        cell |= {"outputs": [], "execution_count": None}
    fresh.write_text(json.dumps(unexecuted), encoding="utf-8")
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    execute = [sys.executable, "-c", "import nbclient.cli as nb; nb.main()", "--inplace", "--timeout=300"]
    subprocess.run(
        [*execute, str(fresh)], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, check=True
    )
    assert list(tmp_path.iterdir()) == [fresh]  # without a folder, a run writes nothing
    again = json.loads(fresh.read_text(encoding="utf-8"))
    for before, now in zip(map(lasting, said(notebook)), map(lasting, said(again)), strict=True):
        assert re.sub(r"[\d.\s]+", " ", now) == re.sub(r"[\d.\s]+", " ", before)
        numbers = [[float(number) for number in NUMBER.findall(text)] for text in (before, now)]
        assert numbers[1] == pytest.approx(numbers[0], abs=TOLERANCE)


def lasting(text: str) -> str:
    """Leave out what is the machine's: of a run's table, all but the accuracy and loss of its first row."""
    lines = text.splitlines()
    return next((" ".join(line.split()[:3]) for line in lines if line.startswith("federated")), text)
