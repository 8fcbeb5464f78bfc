import json
import os
import subprocess
import sys

import numpy as np
import pytest

from fedlocal.results import environment


def test_the_environment_is_ready_for_json() -> None:
    stored = json.loads(json.dumps(environment(), allow_nan=False))
    assert stored["versions"]["numpy"] == np.__version__
    assert stored["versions"]["python"].count(".") == 2
    assert 1 <= stored["cores"]["usable"] <= stored["cores"]["logical"]
    assert stored["cpu"]


def test_libraries_and_threads_are_named_without_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    described = environment()
    assert described["threads"]["OMP_NUM_THREADS"] == "3"
    assert all("filepath" not in library for library in described["libraries"])
    assert all(library["num_threads"] >= 1 for library in described["libraries"])


def test_what_shows_results_is_cheap_to_import() -> None:
    heavy = "{'matplotlib', 'rich', 'pandas', 'scipy', 'threadpoolctl', 'flwr', 'hydra', 'sklearn'}"
    imports = "fedlocal.figures.notebook, fedlocal.display.sweep_progress, fedlocal.report"
    code = f"import sys, {imports}; print(sorted({heavy} & set(sys.modules)))"
    paths = os.pathsep.join(filter(None, sys.path))
    env = os.environ | {"PYTHONPATH": paths}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert shown.stdout.strip() == "[]"
