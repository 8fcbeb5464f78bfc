import subprocess
import sys


def test_importing_the_room_loads_nothing_heavy() -> None:
    heavy = {"scipy", "sklearn", "flwr", "hydra", "torch", "keras"}
    code = f"import sys, fedlocal.models; print(*{heavy} & sys.modules.keys())"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
