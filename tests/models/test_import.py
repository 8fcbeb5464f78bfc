import subprocess
import sys


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = "import sys, fedlocal.models; print(*{'scipy', 'sklearn', 'flwr', 'hydra'} & sys.modules.keys())"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
