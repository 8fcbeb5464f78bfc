"""Workers import little: neither Hydra nor Flower."""

import subprocess
import sys


def test_the_module_that_workers_import_loads_nothing_heavy() -> None:
    heavy = "{'scipy', 'sklearn', 'flwr', 'hydra', 'omegaconf', 'matplotlib'}"
    code = f"import sys, fedlocal.inference.worker; print(*{heavy} & sys.modules.keys())"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
