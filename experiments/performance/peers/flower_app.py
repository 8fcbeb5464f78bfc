"""A Flower app in a folder, on Flower's own simulation: arguments ``FOLDER NODES``."""

import os

os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}  # before it is imported

import importlib
import sys
import tomllib
from pathlib import Path
from typing import Any

from flwr.simulation import run_simulation

FAIR: Any = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}, "init_args": {"num_cpus": 2}}


def main(folder: Path, nodes: int) -> None:
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"  # for Ray's workers
    parts = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["components"]
    server, client = (_resolved(parts[name]) for name in ("serverapp", "clientapp"))
    run_simulation(server, client, nodes, backend_config=FAIR)


def _resolved(reference: str) -> Any:
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), int(sys.argv[2]))
