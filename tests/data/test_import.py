"""The room stays cheap to import: every worker process does it."""

import subprocess
import sys


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = "import sys; from fedlocal.datasets import *; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"scipy", "sklearn", "flwr", "urllib.request"} & set(loaded.stdout.split())
